/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/processes.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

/* By which a user signals those of others, at once or after having become one of them. */
#define OVER_OTHERS (1ull << CAP_KILL | 1ull << CAP_SETUID)

struct list {
	pid_t pids[PROCESSES_MAX];
	size_t count;
};

/* The children of one thread. */
static void add_children(struct list *list, pid_t pid, const char *thread)
{
	char path[64];
	int child;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%.16s/children", pid, thread);
	cleanup_file FILE *file = fopen(path, "re");
	while (file && list->count < PROCESSES_MAX && fscanf(file, "%d", &child) == 1) {
		list->pids[list->count++] = child;
	}
}

static void add_children_of_all_threads(struct list *list, pid_t pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *threads = opendir(path);
	for (struct dirent *entry; threads && (entry = readdir(threads));) {
		if (entry->d_name[0] != '.') {
			add_children(list, pid, entry->d_name);
		}
	}
	if (threads) {
		closedir(threads);
	}
}

/* What of /proc/PID/status says who may signal it. */
struct status {
	unsigned int real, saved; /* its user */
	uint32_t filters;
};

static bool read_status(pid_t pid, struct status *status)
{
	char path[64], line[256];
	bool has_ids = false;

	status->filters = 0; /* before Linux 5.9 it is not told, and nobody asks for any */
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	cleanup_file FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		has_ids = has_ids ||
			  sscanf(line, "Uid: %u %*u %u", &status->real, &status->saved) == 2;
		(void)sscanf(line, "Seccomp_filters: %u", &status->filters);
	}
	return has_ids;
}

/* As kill(2) has it for who signals. */
static bool has_scope(const struct processes_scope *scope, const struct status *status)
{
	bool over_all = scope->uid == 0 || (scope->capabilities & OVER_OTHERS) != 0;

	return (over_all || status->real == scope->uid || status->saved == scope->uid) &&
	       status->filters >= scope->filters;
}

static bool is_alive(int pidfd)
{
	struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};

	return poll(&pollfd, 1, 0) == 0;
}

/* What was read is its own if it is alive afterwards: nobody else had its number meanwhile. */
bool processes_is_in_scope(pid_t pid, int pidfd, const struct processes_scope *scope)
{
	struct status status;

	return read_status(pid, &status) && has_scope(scope, &status) && is_alive(pidfd);
}

static bool signal_one(pid_t pid, const struct processes_scope *scope, int signal)
{
	cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	return pidfd >= 0 && processes_is_in_scope(pid, pidfd, scope) &&
	       syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0;
}

int processes_signal_tree(pid_t root, const struct processes_scope *scope, int signal)
{
	struct list *list = calloc(1, sizeof(*list));
	cleanup_free void *owned = list;
	int signalled = 0;

	if (!list) {
		return -ENOMEM;
	}
	list->pids[list->count++] = root;
	/* All are found before the first can die and leave its children to somebody else. */
	for (size_t i = 0; i < list->count; i++) {
		add_children_of_all_threads(list, list->pids[i]);
	}
	for (size_t i = 0; i < list->count; i++) {
		signalled += signal_one(list->pids[i], scope, signal);
	}
	return signalled;
}
