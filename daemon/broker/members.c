/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/members.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/target.h"

#define NUMBERS       (4u << 20) /* PID_MAX_LIMIT of the kernel */
#define ANCESTORS_MAX 256u

struct members {
	uint64_t tick; /* of proc_pid_stat(5)'s start times, in nanoseconds */
	_Atomic uint64_t heard[NUMBERS];
};

/* A page is there for each thousand numbers that are in use; nobody has all of them. */
int members_new(struct members **membersp)
{
	struct members *members = mmap(NULL, sizeof(*members), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (members == MAP_FAILED) {
		return -errno;
	}
	members->tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	*membersp = members;
	return 0;
}

void members_note(struct members *members, pid_t tid, uint64_t now_ns)
{
	if (tid <= 0 || (unsigned int)tid >= NUMBERS) {
		return;
	}
	atomic_store_explicit(
		&members->heard[tid], now_ns / members->tick + 1, memory_order_relaxed);
}

/* Within one tick a number cannot come round: there are thousands of them. */
static bool was_heard(const struct members *members, pid_t tid)
{
	uint64_t heard = tid > 0 && (unsigned int)tid < NUMBERS ? members->heard[tid] : 0;
	uint64_t start;

	return heard != 0 && target_start(tid, &start) == 0 && start < heard;
}

/* Any of its threads. */
static bool is_known(const struct members *members, pid_t pid)
{
	char path[64];
	bool known = was_heard(members, pid);

	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *tasks = known ? NULL : opendir(path);
	for (struct dirent *entry = tasks ? readdir(tasks) : NULL; entry && !known;
		entry = readdir(tasks)) {
		known = was_heard(members, (pid_t)strtol(entry->d_name, NULL, 10));
	}
	if (tasks) {
		closedir(tasks);
	}
	return known;
}

/* Once the first process has ended its number may be that of one outside, who has children, too. */
static bool descends_from_first(const struct broker *broker, pid_t pid)
{
	uint64_t start;

	return target_descends_from(pid, broker->first) &&
	       target_start(broker->first, &start) == 0 && start == broker->memory->first_start;
}

/* Filters are inherited, and nobody gets rid of one. */
static bool may_be_filtered(const struct broker *broker, pid_t pid)
{
	uint32_t least = atomic_load(&broker->memory->filters);

	return least == 0 || target_filters(pid) >= least;
}

bool members_has(const struct broker *broker, pid_t pid)
{
	if (!may_be_filtered(broker, pid)) {
		return false;
	}
	if (descends_from_first(broker, pid)) {
		return true;
	}
	for (unsigned int i = 0; i < ANCESTORS_MAX && pid > 1 && broker->members; i++) {
		if (is_known(broker->members, pid)) {
			return true;
		}
		pid = target_parent(pid);
	}
	return false;
}

/* The descriptor is there before the look, so the one that is looked at has the signal. */
static void signal_if_strayed(const struct broker *broker, pid_t pid, int signal)
{
	cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd >= 0 && !descends_from_first(broker, pid) && members_has(broker, pid)) {
		(void)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
	}
}

void members_signal(const struct broker *broker, int signal)
{
	DIR *processes = opendir("/proc");

	for (struct dirent *entry; processes && (entry = readdir(processes));) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid > 1 && pid != getpid()) {
			signal_if_strayed(broker, pid, signal);
		}
	}
	if (processes) {
		closedir(processes);
	}
}
