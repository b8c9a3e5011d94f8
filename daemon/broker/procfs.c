/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/procfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/assume.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/members.h"
#include "daemon/broker/mounts.h"
#include "daemon/broker/names.h"
#include "daemon/broker/path_call.h"
#include "daemon/broker/procfs_descriptor.h"
#include "daemon/broker/procfs_number.h"
#include "daemon/broker/procfs_settings.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

#define PROC_ROOT_INODE 1
#define DEPTH_MAX       16 /* of directories in /proc */

bool procfs_is(int fd)
{
	struct statfs filesystem;

	return fstatfs(fd, &filesystem) == 0 && filesystem.f_type == PROC_SUPER_MAGIC;
}

/* The kernel says what is magic: it refuses to follow it when asked to. */
static bool is_magic(int directory, const char *name)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));

	if (fd >= 0) {
		close(fd);
	}
	/* EACCES: only the target itself may follow it, and a plain link anybody may. */
	return fd < 0 && (errno == ELOOP || errno == EACCES);
}

/* The text of "self" or "thread-self". */
static enum procfs_link tell_caller(
	const struct procfs_caller *caller, bool is_thread, char *text, size_t capacity)
{
	if (caller->tgid <= 0) {
		text[0] = '\0'; /* as the kernel has it: the link is there, and leads nowhere */
	} else if (is_thread) {
		(void)snprintf(text, capacity, "%d/task/%d", caller->tgid, caller->tid);
	} else {
		(void)snprintf(text, capacity, "%d", caller->tgid);
	}
	return PROCFS_TEXT;
}

enum procfs_link procfs_link_kind(const struct broker *broker, struct request *request, int fd,
	int directory, const char *name, char *text, size_t capacity)
{
	bool is_thread = strcmp(name, "thread-self") == 0;
	struct stat st;

	if (!procfs_is(fd)) {
		return PROCFS_NO_LINK;
	}
	if ((is_thread || strcmp(name, "self") == 0) && fstat(directory, &st) == 0 &&
		st.st_ino == PROC_ROOT_INODE) {
		struct procfs_caller caller = procfs_find_caller(broker, request, directory);
		return tell_caller(&caller, is_thread, text, capacity);
	}
	return is_magic(directory, name) ? PROCFS_MAGIC : PROCFS_NO_LINK;
}

/* The root of the mount that `directory` lies in, and how many levels above it: a descriptor or a
 * negative errno. */
static int open_mount_root(int directory, int *depth)
{
	cleanup_fd int at = openat(directory, ".", O_PATH | O_CLOEXEC);

	for (*depth = 0; at >= 0 && *depth < DEPTH_MAX; (*depth)++) {
		struct statx st;
		if (statx(at, "", AT_EMPTY_PATH, STATX_INO, &st) < 0) {
			return -errno;
		}
		if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
			return steal_fd(&at);
		}
		int up = openat(at, "..", O_PATH | O_CLOEXEC);
		close(at);
		at = up;
	}
	return at < 0 ? -errno : -ELOOP;
}

/* Cuts `levels` components off the end of the first `length` bytes of `path`: what is left's
 * length. */
static size_t cut_levels(const char *path, size_t length, int levels)
{
	for (; levels > 0 && length > 0; levels--) {
		do {
			length--;
		} while (length > 0 && path[length] != '/');
	}
	return length;
}

static bool is_thread_of(pid_t tgid, pid_t tid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d", tgid, tid);
	return access(path, F_OK) == 0;
}

/* What every user may know of any process (proc(5)); all else there gives a hold on it. */
static bool is_harmless(const char *entry)
{
	static const char *const harmless[] = {"", "/stat", "/statm", "/status", "/cmdline",
		"/comm", "/cgroup", "/limits", "/loginuid", "/sessionid", "/mountinfo", "/mounts",
		"/mountstats", "/oom_score", "/oom_adj", "/oom_score_adj", "/sched", "/schedstat",
		"/cpuset", "/wchan", "/net", "/task"};

	if (strncmp(entry, "/task/", 6) == 0) {
		const char *below = strchr(entry + 6, '/');
		return !below || is_harmless(below);
	}
	if (strncmp(entry, "/net/", 5) == 0) {
		return true;
	}
	for (size_t i = 0; i < array_length(harmless); i++) {
		if (strcmp(entry, harmless[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* Entries that are links to where a process stands. */
static bool is_stand(const char *entry)
{
	const char *last = strrchr(entry, '/');
	bool is_of_process = last == entry || strncmp(entry, "/task/", 6) == 0;

	return last && is_of_process && (strcmp(last, "/root") == 0 || strcmp(last, "/cwd") == 0);
}

enum owner {
	OWNER_CALLER,
	OWNER_SESSION,
	OWNER_OUTSIDE,
	OWNER_BROKER,
	OWNER_NOBODY, /* there is no such process */
};

/* One whose numbers are not ours: only what is made in the session has none but its processes. */
static enum owner owner_elsewhere(const struct procfs_caller *caller, int root, pid_t pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%d/task/%d", caller->tgid, pid);
	if (pid == caller->tgid || faccessat(root, path, F_OK, 0) == 0) {
		return OWNER_CALLER;
	}
	(void)snprintf(path, sizeof(path), "%d", pid);
	if (faccessat(root, path, F_OK, 0) < 0) {
		return OWNER_NOBODY;
	}
	return caller->is_of_session ? OWNER_SESSION : OWNER_OUTSIDE;
}

/* Of `pid` in the procfs whose root directory is `root`. */
static enum owner owner_of(
	const struct broker *broker, struct request *request, int root, pid_t pid)
{
	struct procfs_caller caller = procfs_find_caller(broker, request, root);

	if (!caller.is_ours) {
		return owner_elsewhere(&caller, root, pid);
	}
	if (pid == caller.tgid || (caller.tgid > 0 && is_thread_of(caller.tgid, pid))) {
		return OWNER_CALLER;
	}
	if (is_thread_of(getpid(), pid)) {
		return OWNER_BROKER;
	}
	if (kill(pid, 0) < 0 && errno == ESRCH) {
		return OWNER_NOBODY;
	}
	return members_has(broker, pid) ? OWNER_SESSION : OWNER_OUTSIDE;
}

/* Writes "PREFIX/123/REST" as "PREFIX/self/REST". */
static void write_self(char *path, size_t prefix, size_t digits)
{
	static const char self[] = "self";
	char *rest = path + prefix + 1 + digits;

	memmove(path + prefix + sizeof(self), rest, strlen(rest) + 1);
	memcpy(path + prefix + 1, self, sizeof(self) - 1);
}

/* What an entry is like tells nothing that it holds; where its link leads may. With O_PATH it is
 * looked at, too: what is done with such a descriptor is judged when it is done. */
static bool is_looked_at(const struct request *request, const char *entry)
{
	if (request->call == CALL_OPEN) {
		return (request->open.how.flags & O_PATH) != 0;
	}
	return request->call == CALL_PATH &&
	       (request->path.call->act != PATH_READLINK || is_stand(entry)) &&
	       !(request->path.call->operations & ~(unsigned int)OPERATION_STAT);
}

#define JUDGED_BY_PLACE 1 /* what the link leads to has a name of its own, or not */

/*
 * Judges by the text below the mount's root, which is the first `prefix` bytes of `path`: 0, a
 * negative errno, or JUDGED_BY_PLACE of a link that is followed.
 */
static int judge_below(const struct broker *broker, struct request *request, int root, char *path,
	size_t prefix, bool follows)
{
	const char *below = path + prefix;
	char *rest;

	if (procfs_is_setting_elsewhere(broker, request, below)) {
		return -EACCES;
	}
	if (below[0] != '/' || !isdigit((unsigned char)below[1])) {
		return 0;
	}
	long pid = strtol(below + 1, &rest, 10);
	if ((*rest != '/' && *rest != '\0') || pid <= 0 || pid > INT32_MAX) {
		return 0;
	}
	switch (owner_of(broker, request, root, (pid_t)pid)) {
	case OWNER_CALLER:
		write_self(path, prefix, (size_t)(rest - below - 1));
		return 0;
	case OWNER_SESSION:
		return 0;
	case OWNER_NOBODY:
		return -ENOENT;
	case OWNER_OUTSIDE:
		if (follows && is_stand(rest)) {
			return JUDGED_BY_PLACE;
		}
		break;
	case OWNER_BROKER:
		break;
	}
	if (!follows && is_looked_at(request, rest)) {
		return 0;
	}
	return is_harmless(rest) && request->call == CALL_OPEN &&
			       !(request->open.operations & ~(unsigned int)OPERATION_READ)
		       ? 0
		       : -EACCES;
}

/*
 * In a mount namespace of its own a target may have a procfs anywhere, or a part of one. Its files
 * are called as everybody knows them, so the first `prefix` bytes become "/proc".
 */
static int write_usual(const struct broker *broker, const struct request *request, int mount_root,
	char *path, size_t *prefix)
{
	static const char usual[] = "/proc";
	char name[NAME_ROOM], root[NAME_ROOM] = "/";
	struct stat st;

	if (fstat(mount_root, &st) < 0 ||
		(st.st_ino != PROC_ROOT_INODE &&
			mounts_root_of(broker, request, mount_root, root, sizeof(root)) < 0)) {
		return -EACCES;
	}
	int length = snprintf(name, sizeof(name), "%s%s%s", usual,
		strcmp(root, "/") == 0 ? "" : root, path + *prefix);
	if (length < 0 || (size_t)length >= sizeof(name)) {
		return -ENAMETOOLONG;
	}
	memcpy(path, name, (size_t)length + 1);
	*prefix = sizeof(usual) - 1;
	return 0;
}

/* Also of a directory that only its own process may look into. */
static int open_root(
	const struct broker *broker, const struct request *request, int directory, int *depth)
{
	int root = open_mount_root(directory, depth);

	if (root < 0) {
		assume_broker(broker, request);
		root = open_mount_root(directory, depth);
		assume_target(broker, request);
	}
	return root;
}

static int judge(const struct broker *broker, struct request *request, int directory, char *path,
	bool follows)
{
	char directory_name[NAME_ROOM];

	if (!procfs_is(directory)) {
		return 0;
	}
	int depth;
	cleanup_fd int root = open_root(broker, request, directory, &depth);
	if (root < 0 || name_of_fd(broker, directory, directory_name, sizeof(directory_name)) < 0) {
		return root == -ENOTDIR ? -ENOTDIR : -EACCES;
	}
	size_t prefix = cut_levels(directory_name, strlen(directory_name), depth);
	/* A mount that was moved since `path` was told would make another name of its rest. */
	if (!name_rest(path, directory_name)) {
		return -EACCES;
	}
	if (mounts_is_foreign(broker, directory)) {
		int error = write_usual(broker, request, root, path, &prefix);
		if (error < 0) {
			return error;
		}
	}
	return judge_below(broker, request, root, path, prefix, follows);
}

int procfs_judge(const struct broker *broker, struct request *request, int directory, char *path)
{
	return judge(broker, request, directory, path, false);
}

static bool same_mount(int a, int b)
{
	struct statx x, y;

	return statx(a, "", AT_EMPTY_PATH, STATX_MNT_ID, &x) == 0 &&
	       statx(b, "", AT_EMPTY_PATH, STATX_MNT_ID, &y) == 0 && x.stx_mnt_id == y.stx_mnt_id;
}

/* The directory of the procfs object called `path`, or a negative errno where that cannot be told.
 */
static int open_parent(
	const struct broker *broker, const struct request *request, int object, const char *path)
{
	char parent[NAME_ROOM];
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	int root = request->place.root >= 0 ? request->place.root : broker->root;
	size_t length = cut_levels(path, strlen(path), 1);

	memcpy(parent, path, length);
	parent[length] = '\0';
	cleanup_fd int fd =
		(int)syscall(SYS_openat2, root, parent + strspn(parent, "/"), &how, sizeof(how));
	return fd >= 0 && same_mount(fd, object) ? steal_fd(&fd) : -EACCES;
}

/* A directory of a procfs that is mounted for itself. */
static bool is_foreign_root(const struct broker *broker, int object)
{
	int depth;
	cleanup_fd int root =
		mounts_is_foreign(broker, object) ? open_mount_root(object, &depth) : -1;

	return root >= 0 && depth == 0;
}

int procfs_judge_object(
	const struct broker *broker, struct request *request, int object, char *path)
{
	if (!procfs_is(object)) {
		return 0;
	}
	if (is_foreign_root(broker, object)) {
		size_t prefix = strlen(path);
		int error = write_usual(broker, request, object, path, &prefix);
		return error < 0 ? error : judge_below(broker, request, object, path, prefix, true);
	}
	cleanup_fd int parent = open_parent(broker, request, object, path);
	int error = parent < 0 ? parent : judge(broker, request, parent, path, true);
	return error == JUDGED_BY_PLACE ? -EACCES : error;
}

int procfs_follow(
	const struct broker *broker, struct request *request, int directory, const char *name)
{
	char path[NAME_ROOM];
	int error = name_of_fd(broker, directory, path, sizeof(path));

	if (error == 0) {
		error = name_append(path, sizeof(path), name);
	}
	if (error == 0) {
		error = judge(broker, request, directory, path, true);
	}
	if (error < 0) {
		return error;
	}
	bool by_place = error == JUDGED_BY_PLACE;
	cleanup_fd int fd = openat(directory, name, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		fd = errno == EACCES && !by_place
			     ? procfs_open_own(broker, request, directory, name, O_PATH)
			     : -errno;
	}
	if (fd < 0 || (by_place && !mounts_is_first(broker, fd))) {
		return fd < 0 ? fd : -EACCES;
	}
	if (!procfs_descriptor_is_nameless(broker, path, fd)) {
		return steal_fd(&fd);
	}
	int depth;
	cleanup_fd int root = open_root(broker, request, directory, &depth);
	return root < 0 ? root : procfs_descriptor_take(broker, request, root, path, fd);
}

bool procfs_is_own_table(const char *path)
{
	size_t length = strlen(path);

	return strcmp(path, "/proc/self/fd") == 0 || strcmp(path, "/proc/self/map_files") == 0 ||
	       (name_is_below(path, "/proc/self/task") && length > 3 &&
		       strcmp(path + length - 3, "/fd") == 0);
}

static bool is_own_descriptors(const char *path)
{
	return name_is_below(path, "/proc/self/fd") || name_is_below(path, "/proc/self/fdinfo") ||
	       procfs_is_own_table(path);
}

static int open_as_broker(const struct broker *broker, const struct request *request, int directory,
	const char *name, int flags)
{
	/* A look may lead elsewhere, and what it leads to is looked at again; an open may not. */
	struct open_how how = {.flags = (uint64_t)(unsigned int)flags | O_CLOEXEC,
		.resolve = flags & O_PATH ? 0 : RESOLVE_NO_XDEV};

	assume_broker(broker, request);
	int fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));
	int error = fd < 0 ? -errno : fd;
	assume_target(broker, request);
	return error;
}

/* Is it our looking that was refused, and not the file to the caller's ids? */
static bool is_readable(int directory, const char *name, int flags)
{
	int mode = (flags & O_ACCMODE) == O_RDONLY   ? R_OK
		   : (flags & O_ACCMODE) == O_WRONLY ? W_OK
						     : R_OK | W_OK;

	return (flags & O_PATH) || syscall(SYS_faccessat2, directory, name, mode,
					   AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0;
}

int procfs_open_own(const struct broker *broker, struct request *request, int directory,
	const char *name, int flags)
{
	char path[NAME_ROOM];

	if (request->identity == &broker->identity || !procfs_is(directory) ||
		name_of_fd(broker, directory, path, sizeof(path)) < 0 ||
		name_append(path, sizeof(path), name) < 0 ||
		procfs_judge(broker, request, directory, path) < 0 ||
		!name_is_below(path, "/proc/self")) {
		return -EACCES;
	}
	if (!is_own_descriptors(path) && !is_readable(directory, name, flags)) {
		return -EACCES;
	}
	return open_as_broker(broker, request, directory, name, flags);
}
