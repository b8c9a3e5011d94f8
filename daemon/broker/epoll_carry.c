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
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/clock.h"
#include "daemon/broker/target_fd.h"

/* Programs make their epoll instances early, before there are many descriptors. */
#define LOWER_NUMBERS 128

/*
 * How long what was found is believed: it may have been taken over from elsewhere (dup, fork). And
 * how long after a call that makes one nothing is kept at all: that call is still to be done.
 */
#define KEPT_NS      1000000000u
#define UNCERTAIN_NS 100000000u

/* By the thread's number; another thread with the same place takes it over. */
#define PLACES 64

struct numbers {
	uint64_t bits[LOWER_NUMBERS / 64];
};

struct epoll_memory {
	pthread_mutex_t lock;
	uint64_t outdated_ns;
	struct {
		pid_t tid;
		uint64_t found_ns;
		struct numbers numbers;
	} places[PLACES];
};

struct epoll_memory *epoll_memory_new(void)
{
	struct epoll_memory *memory = calloc(1, sizeof(*memory));

	if (memory) {
		pthread_mutex_init(&memory->lock, NULL);
	}
	return memory;
}

void epoll_memory_outdate(struct epoll_memory *memory)
{
	pthread_mutex_lock(&memory->lock);
	memory->outdated_ns = clock_ns(CLOCK_MONOTONIC);
	pthread_mutex_unlock(&memory->lock);
}

/* 0 or above: it watches the number; -ENOENT: it is an instance, but does not; others: it is none.
 */
static int ask(pid_t tid, int epoll, int number)
{
	struct kcmp_epoll_slot slot = {.efd = (uint32_t)epoll, .tfd = (uint32_t)number};
	long result = syscall(SYS_kcmp, tid, tid, KCMP_EPOLL_TFD, number, &slot);

	return result < 0 ? -errno : 0;
}

static struct numbers look_for(pid_t tid, int number)
{
	struct numbers numbers = {{0}};

	for (int epoll = 0; epoll < LOWER_NUMBERS; epoll++) {
		int answer = ask(tid, epoll, number);

		if (answer == 0 || answer == -ENOENT) {
			numbers.bits[epoll / 64] |= UINT64_C(1) << epoll % 64;
		}
	}
	return numbers;
}

static struct numbers numbers_of(struct epoll_memory *memory, pid_t tid, int number)
{
	size_t place = (size_t)tid % PLACES;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct numbers numbers;

	pthread_mutex_lock(&memory->lock);
	bool is_known = memory->places[place].tid == tid &&
			memory->places[place].found_ns > memory->outdated_ns + UNCERTAIN_NS &&
			now - memory->places[place].found_ns < KEPT_NS;
	numbers = memory->places[place].numbers;
	pthread_mutex_unlock(&memory->lock);
	if (is_known) {
		return numbers;
	}
	numbers = look_for(tid, number);
	pthread_mutex_lock(&memory->lock);
	memory->places[place].tid = tid;
	memory->places[place].found_ns = now;
	memory->places[place].numbers = numbers;
	pthread_mutex_unlock(&memory->lock);
	return numbers;
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

static void add_watch(struct epoll_carry *carry, pid_t tid, int epoll, int number)
{
	struct epoll_event event;

	if (ask(tid, epoll, number) < 0 || read_event(tid, epoll, number, &event) < 0) {
		return;
	}
	cleanup_fd int taken = target_take_fd(tid, epoll);
	int above = taken < 0 ? -1 : fcntl(taken, F_DUPFD_CLOEXEC, number + 1);
	if (above >= 0) {
		carry->watches[carry->count].epoll = above;
		carry->watches[carry->count++].event = event;
	}
}

void epoll_carry_find(struct epoll_carry *carry, struct epoll_memory *memory, pid_t tid, int number)
{
	struct numbers numbers = numbers_of(memory, tid, number);

	carry->count = 0;
	for (int word = 0; word < LOWER_NUMBERS / 64; word++) {
		for (uint64_t left = numbers.bits[word]; left != 0; left &= left - 1) {
			if (carry->count < EPOLL_CARRY_MAX) {
				add_watch(carry, tid, word * 64 + __builtin_ctzll(left), number);
			}
		}
	}
}

/* A move and its thread. */
struct move {
	const struct epoll_carry *carry;
	int from, to, number;
	int (*install)(void *user);
	void *user;
	int result;
};

static void watch(const struct move *move)
{
	for (size_t i = 0; i < move->carry->count; i++) {
		struct epoll_event event = move->carry->watches[i].event;

		(void)epoll_ctl(move->carry->watches[i].epoll, EPOLL_CTL_ADD, move->number, &event);
	}
}

static void watch_no_more(const struct move *move)
{
	for (size_t i = 0; i < move->carry->count; i++) {
		(void)epoll_ctl(move->carry->watches[i].epoll, EPOLL_CTL_DEL, move->number, NULL);
	}
}

/* Does it with `fd` under the number, where something of ours may lie: that comes back. */
static void under_number(const struct move *move, int fd, void (*action)(const struct move *move))
{
	int ours = fcntl(move->number, F_DUPFD_CLOEXEC, move->number + 1);

	if (dup2(fd, move->number) >= 0) {
		action(move);
		close(move->number);
	}
	if (ours >= 0) {
		(void)dup2(ours, move->number);
		close(ours);
	}
}

/*
 * The table of descriptors is the thread's own from here on, and what it holds is let go of before
 * the thread is waited for.
 */
static void *enter_anew(void *argument)
{
	struct move *move = argument;

	if (unshare(CLONE_FILES) < 0) {
		move->result = move->install(move->user);
		return NULL;
	}
	under_number(move, move->to, watch);
	move->result = move->install(move->user);
	if (move->result >= 0) {
		under_number(move, move->from, watch_no_more);
	}
	close_range(0, ~0u, 0);
	return NULL;
}

/* -EAGAIN: it could not be begun. */
static int move_by_thread(struct move *move)
{
	pthread_t thread;

	if (move->from < 0 || move->to < 0 ||
		pthread_create(&thread, NULL, enter_anew, move) != 0) {
		return -EAGAIN;
	}
	pthread_join(thread, NULL);
	return move->result;
}

int epoll_carry_move(const struct epoll_carry *carry, int from, int to, int number,
	int (*install)(void *user), void *user)
{
	int above = number + 1;

	if (carry->count == 0) {
		return install(user);
	}
	/* None of them may be in the way of the number. */
	struct move move = {.carry = carry,
		.from = fcntl(from, F_DUPFD_CLOEXEC, above),
		.to = fcntl(to, F_DUPFD_CLOEXEC, above),
		.number = number,
		.install = install,
		.user = user};
	int result = move_by_thread(&move);
	close_fd(&move.from);
	close_fd(&move.to);
	return result;
}

void epoll_carry_finish(struct epoll_carry *carry)
{
	for (size_t i = 0; i < carry->count; i++) {
		close(carry->watches[i].epoll);
	}
	carry->count = 0;
}
