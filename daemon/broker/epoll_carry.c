/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/epoll_carry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/target.h"

/* Programs make their epoll instances early, before there are many descriptors. */
#define LOWER_NUMBERS 128

static bool watches(pid_t tid, int epoll, int number)
{
	struct kcmp_epoll_slot slot = {.efd = (uint32_t)epoll, .tfd = (uint32_t)number};

	return syscall(SYS_kcmp, tid, tid, KCMP_EPOLL_TFD, number, &slot) >= 0;
}

/* "tfd: 5 events: 80000019 data: 4d ..." of an epoll instance's fdinfo. */
static int read_event(pid_t tid, int epoll, int number, struct epoll_event *event)
{
	char path[64], line[256];
	unsigned int events;
	uint64_t data;
	int watched;

	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tid, epoll);
	cleanup_file FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "tfd: %d events: %x data: %" SCNx64, &watched, &events, &data) ==
				3 &&
			watched == number) {
			*event = (struct epoll_event){.events = events, .data.u64 = data};
			return 0;
		}
	}
	return -ENOENT;
}

void epoll_carry_find(struct epoll_carry *carry, pid_t tid, int number)
{
	carry->count = 0;
	for (int epoll = 0; epoll < LOWER_NUMBERS && carry->count < EPOLL_CARRY_MAX; epoll++) {
		struct epoll_event event;

		if (!watches(tid, epoll, number) || read_event(tid, epoll, number, &event) < 0) {
			continue;
		}
		cleanup_fd int taken = target_take_fd(tid, epoll);
		int above = taken < 0 ? -1 : fcntl(taken, F_DUPFD_CLOEXEC, number + 1);
		if (above >= 0) {
			carry->watches[carry->count].epoll = above;
			carry->watches[carry->count++].event = event;
		}
	}
}

/* A move and its thread. */
struct move {
	const struct epoll_carry *carry;
	int from, to, number;
};

/*
 * The table of descriptors is the thread's own from here on, and what it holds is let go of before
 * the thread is waited for.
 */
static void *enter_anew(void *argument)
{
	const struct move *move = argument;
	const struct epoll_carry *carry = move->carry;

	if (unshare(CLONE_FILES) < 0) {
		return NULL;
	}
	if (dup2(move->from, move->number) >= 0) {
		for (size_t i = 0; i < carry->count; i++) {
			(void)epoll_ctl(carry->watches[i].epoll, EPOLL_CTL_DEL, move->number, NULL);
		}
	}
	if (dup2(move->to, move->number) >= 0) {
		for (size_t i = 0; i < carry->count; i++) {
			struct epoll_event event = carry->watches[i].event;
			(void)epoll_ctl(
				carry->watches[i].epoll, EPOLL_CTL_ADD, move->number, &event);
		}
	}
	close_range(0, ~0u, 0);
	return NULL;
}

void epoll_carry_move(const struct epoll_carry *carry, int from, int to, int number)
{
	pthread_t thread;
	int above = number + 1;
	struct move move = {.carry = carry, .number = number};

	if (carry->count == 0) {
		return;
	}
	/* None of them may be in the way of the number. */
	move.from = fcntl(from, F_DUPFD_CLOEXEC, above);
	move.to = fcntl(to, F_DUPFD_CLOEXEC, above);
	if (move.from >= 0 && move.to >= 0 &&
		pthread_create(&thread, NULL, enter_anew, &move) == 0) {
		pthread_join(thread, NULL);
	}
	close_fd(&move.from);
	close_fd(&move.to);
}

void epoll_carry_finish(struct epoll_carry *carry)
{
	for (size_t i = 0; i < carry->count; i++) {
		close(carry->watches[i].epoll);
	}
	carry->count = 0;
}
