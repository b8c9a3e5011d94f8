/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/processes.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/cleanup.h"

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

int processes_signal_tree(pid_t root, int signal)
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
		signalled += kill(list->pids[i], signal) == 0;
	}
	return signalled;
}
