/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/namespaces.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/members.h"

static int look(int directory, const char *path, struct stat *namespace)
{
	return fstatat(directory, path, namespace, 0) < 0 ? -errno : 0;
}

int namespaces_of(pid_t tid, const char *kind, struct stat *namespace)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", tid, kind);
	return look(AT_FDCWD, path, namespace);
}

int namespaces_of_process(int process, const char *kind, struct stat *namespace)
{
	return look(process, kind, namespace);
}

bool namespaces_is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

bool namespaces_is_first(pid_t tid)
{
	struct stat first, theirs;

	return look(AT_FDCWD, "/proc/self/" NAMESPACE_MOUNTS, &first) < 0 ||
	       namespaces_of(tid, NAMESPACE_MOUNTS, &theirs) < 0 ||
	       namespaces_is_same(&first, &theirs);
}

/* The user namespace that owns a mount namespace. 0 or a negative errno: -EPERM where it is none of
 * ours or below. */
static int owner_of(const char *path, struct stat *owner)
{
	cleanup_fd int namespace = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_fd int users = namespace < 0 ? -1 : ioctl(namespace, NS_GET_USERNS);

	return users < 0 || fstat(users, owner) < 0 ? -errno : 0;
}

bool namespaces_is_of_other_owner(pid_t tid)
{
	struct stat first = {0}, theirs = {0};
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", tid);
	if (owner_of(path, &theirs) < 0) {
		return false;
	}
	int error = owner_of("/proc/self/ns/mnt", &first);
	return error == -EPERM || (error == 0 && !namespaces_is_same(&first, &theirs));
}

/* Its number was its own all the time if it is still there at the end. */
static bool is_of_session(const struct broker *broker, int process, pid_t pid)
{
	return members_has(broker, pid) && faccessat(process, "stat", F_OK, 0) == 0;
}

static bool is_elsewhere(int process, const char *kind)
{
	struct stat first, theirs;

	return namespaces_of(getpid(), kind, &first) == 0 &&
	       namespaces_of_process(process, kind, &theirs) == 0 &&
	       !namespaces_is_same(&first, &theirs);
}

bool namespaces_find(
	const struct broker *broker, const char *kind, namespaces_match *match, void *state)
{
	DIR *processes = opendir("/proc");
	bool found = false;

	for (struct dirent *entry = processes ? readdir(processes) : NULL; entry && !found;
		entry = readdir(processes)) {
		cleanup_fd int process = isdigit((unsigned char)entry->d_name[0])
						 ? openat(dirfd(processes), entry->d_name,
							   O_PATH | O_DIRECTORY | O_CLOEXEC)
						 : -1;
		found = process >= 0 && is_elsewhere(process, kind) && match(state, process) &&
			is_of_session(broker, process, (pid_t)strtol(entry->d_name, NULL, 10));
	}
	if (processes) {
		closedir(processes);
	}
	return found;
}
