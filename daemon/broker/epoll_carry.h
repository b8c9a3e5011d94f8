/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Some programs (nginx, netty, boost) watch a socket by epoll before they connect it. What epoll
 * watches is the open file, so a socket that is put in the place of another has to be entered anew:
 * with the same events and data, and under the number that the program knows, since that is how it
 * changes or ends the watch later. Epoll takes that number from the table of descriptors of whoever
 * enters it, so it is done by a thread with a table of its own.
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

/* The epoll instances among the lower descriptors of the thread that watch its `number`. */
void epoll_carry_find(struct epoll_carry *carry, pid_t tid, int number);

/* Has them watch `to` as `number`, instead of `from`. */
void epoll_carry_move(const struct epoll_carry *carry, int from, int to, int number);

void epoll_carry_finish(struct epoll_carry *carry);
