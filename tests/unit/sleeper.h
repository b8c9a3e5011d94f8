/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process, with one thread or two, that sleeps as one does who waits for the broker: what can be
 * read of it from outside is that of a notified call.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#define SLEEPER_NUMBERS 4

/* How it stands to SIGUSR1, and whether it has another thread. */
struct sleeper {
	bool blocks, ignores;
	bool has_thread, thread_blocks;
};

/* Shared with the target: what it tells of itself. The number of its first thread is at 0. */
struct sleeper_told {
	_Atomic pid_t numbers[SLEEPER_NUMBERS];
	_Atomic int ready;
};
extern struct sleeper_told *sleeper_told;

/* For cmocka: the memory that is shared. */
int sleeper_set_up(void **state);

/* Forgets what was told, and starts one; returns when all its threads sleep. */
pid_t sleeper_start(const struct sleeper *sleeper);

/* Ends it, with the children of its vfork(2), which are of its group. */
void sleeper_stop(pid_t pid);

/* For targets of another kind: tells the thread's number. */
void sleeper_tell(int index);

/* Until so many have told theirs. Fails the test if they do not. */
void sleeper_wait(int count);
