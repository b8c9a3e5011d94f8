/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Some programs (nginx, netty, boost) watch a socket by epoll before they connect it. What epoll
 * watches is the open file, so a socket that is put in the place of another has to be entered anew:
 * with the same events and data, and under the number that the program knows, since that is how it
 * changes or ends the watch later. Epoll takes that number from the table of descriptors of whoever
 * enters it, so it is done by a thread with a table of its own.
 *
 * Which numbers of a thread are epoll instances is found by asking of each, and kept for a moment:
 * a program that connects all the time is not asked all the time.
 */
#pragma once

#include <stddef.h>
#include <sys/epoll.h>
#include <sys/types.h>

#define EPOLL_CARRY_MAX 8

struct epoll_carry {
	size_t count;
	struct {
		int epoll; /* ours to close */
		struct epoll_event event;
	} watches[EPOLL_CARRY_MAX];
};

/* What is known of the epoll instances of a session's threads. NULL if there is no memory. */
struct epoll_memory;
struct epoll_memory *epoll_memory_new(void);

/* A program is about to make one more: what is known may be outdated from now on. */
void epoll_memory_outdate(struct epoll_memory *memory);

/* The epoll instances among the lower descriptors of the thread that watch its `number`. */
void epoll_carry_find(
	struct epoll_carry *carry, struct epoll_memory *memory, pid_t tid, int number);

/*
 * Has them watch `to` as `number`, then has `install` put it there, and then has them watch `from`
 * no more: in this order, so that whoever dies in between, what lies under the number is watched,
 * and what does not is closed. Returns what `install` did; if that failed `to` is to be closed.
 */
int epoll_carry_move(const struct epoll_carry *carry, int from, int to, int number,
	int (*install)(void *user), void *user);

void epoll_carry_finish(struct epoll_carry *carry);
