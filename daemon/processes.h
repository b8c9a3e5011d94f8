/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process and all that descends from it, as /proc shows them at the moment. Not all of them need
 * be who asks for them: who execs usher may have children already, also such as are another user's
 * by now (sudo). So each is looked at before it is signalled, on a descriptor that is no other's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* More are not looked for in one go: who asks, asks again. */
#define PROCESSES_MAX 4096u

/* Who may be signalled. */
struct processes_scope {
	uid_t uid;             /* who signals: 0 may signal all, as with these capabilities */
	uint64_t capabilities; /* a bit for each that it has */
	uint32_t filters;      /* of seccomp's: who has fewer is none of them */
};

/* Is the process of this pidfd, which is `pid`, alive and in the scope? */
bool processes_is_in_scope(pid_t pid, int pidfd, const struct processes_scope *scope);

/*
 * Sends `signal` to `root`, which the caller knows to be the one that is meant, and to its
 * descendants, parents first, as far as they are in the scope. Returns how many had it, or -ENOMEM.
 */
int processes_signal_tree(pid_t root, const struct processes_scope *scope, int signal);
