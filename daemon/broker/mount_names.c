/* SPDX-License-Identifier: Apache-2.0 */
/* What a foreign object is called in the session's first mount namespace: see mounts.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/mount_table.h"
#include "daemon/broker/assume.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/detached.h"
#include "daemon/broker/device_name.h"
#include "daemon/broker/members.h"
#include "daemon/broker/mounts.h"
#include "daemon/broker/names.h"
#include "daemon/broker/namespaces.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546 /* linux/magic.h of 5.19 */
#endif
#define MQUEUE_SUPER_MAGIC 0x19800202 /* ipc/mqueue.c */
#define ANCESTORS_MAX      16u
#define LEVELS_MAX         64

static bool is_same_object(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

/* In the first namespace, as the session's first process would find it. */
static int open_in_first(const struct broker *broker, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_NO_SYMLINKS};
	const char *below = name + strspn(name, "/");
	int fd = (int)syscall(SYS_openat2, broker->root, *below ? below : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* The path of an object within its file system. */
struct inner {
	dev_t device;
	int levels;       /* of the path below what is mounted */
	bool is_recalled; /* no table has the mount: only what is found again is believed */
	char path[NAME_ROOM];
};

/* Where a mount is seen from. */
struct view {
	uint64_t id;          /* of the mount */
	char root[NAME_ROOM]; /* of who sees it */
	struct mount_table table;
	const struct mount *mount;
};

static int read_root(int process, struct view *view)
{
	ssize_t length = readlinkat(process, "root", view->root, sizeof(view->root) - 1);

	view->root[length < 0 ? 0 : length] = '\0';
	return length < 0 ? -errno : 0;
}

static bool look_from(void *state, int process)
{
	struct view *view = state;

	mount_table_finish(&view->table);
	if (read_root(process, view) < 0 ||
		mount_table_read_of_process(&view->table, process) < 0) {
		return false;
	}
	view->mount = mount_table_find(&view->table, view->id);
	return view->mount;
}

static bool look_from_number(struct view *view, pid_t pid)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d", pid);
	cleanup_fd int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return process >= 0 && look_from(view, process);
}

/*
 * The mount that `fd` lies in, from the calling thread; for what it has been handed down, from one
 * of its ancestors in the session; for what it has been handed otherwise, or reaches by /proc, from
 * any process of the session. 0 or -ENOENT; ended by mount_table_finish().
 */
static int find_view(
	const struct broker *broker, const struct request *request, int fd, struct view *view)
{
	pid_t pid = request->tid;
	struct statx st;

	*view = (struct view){0};
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0) {
		return -ENOENT;
	}
	view->id = st.stx_mnt_id;
	if (look_from_number(view, pid)) {
		return 0;
	}
	bool found = false;
	for (unsigned int i = 0; i < ANCESTORS_MAX && pid > 1 && pid != broker->first && !found;
		i++) {
		pid = target_parent(pid);
		found = pid > 1 && members_has(broker, pid) && look_from_number(view, pid);
	}
	if (!found && !namespaces_find(broker, NAMESPACE_MOUNTS, look_from, view)) {
		mount_table_finish(&view->table);
		return -ENOENT;
	}
	return 0;
}

static int count_levels(const char *rest)
{
	int levels = 0;

	for (; *rest; rest++) {
		levels += *rest == '/' && rest[1] != '\0';
	}
	return levels;
}

/* `name` is where the kernel says that the object is. */
static int tell_inner(const struct view *view, const char *name, struct inner *inner)
{
	char point[NAME_ROOM];
	const struct mount *mount = view->mount;
	/* The kernel tells us paths from the namespace's root, a table from its process's. */
	int error = name_join(point, sizeof(point), view->root,
		strcmp(mount->point, "/") == 0 ? "" : mount->point);
	const char *rest = error < 0 ? NULL : name_rest(name, point);
	if (!rest) {
		return -ENOENT;
	}
	inner->device = mount->device;
	inner->levels = count_levels(rest);
	return name_join(inner->path, sizeof(inner->path), mount->root, rest);
}

/*
 * Nobody sees the mount any more: the kernel tells names from its root on. 0 or a negative errno,
 * -ENOENT if nothing is remembered of it.
 */
static int recall_inner(const struct broker *broker, int fd, const char *name, struct inner *inner)
{
	char root[NAME_ROOM];
	struct statx mount;
	struct stat object;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &mount) < 0 || fstat(fd, &object) < 0) {
		return -ENOENT;
	}
	int found = detached_find(
		broker->detached, mount.stx_mnt_id, object.st_dev, root, sizeof(root));
	if (found <= 0) {
		return found < 0 ? found : -ENOENT;
	}
	inner->device = object.st_dev;
	inner->is_recalled = true;
	return name_join(
		inner->path, sizeof(inner->path), root, strcmp(name, "/") == 0 ? "" : name);
}

static int find_inner(const struct broker *broker, const struct request *request, int fd,
	const char *name, struct inner *inner)
{
	struct view *view = malloc(sizeof(*view));
	cleanup_free void *owned = view;
	int error = view ? find_view(broker, request, fd, view) : -ENOMEM;

	inner->is_recalled = false;
	if (error == 0) {
		error = tell_inner(view, name, inner);
		mount_table_finish(&view->table);
	} else if (error == -ENOENT) {
		error = recall_inner(broker, fd, name, inner);
	}
	return error;
}

/* What is to be found again: an object, or the entry of a directory, which may not be there. */
struct sought {
	int fd;
	const char *entry; /* or NULL */
	bool is_whole;     /* the name that was found is the entry's and not the directory's */
};

static int open_entry(const struct sought *sought)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
	int fd = (int)syscall(SYS_openat2, sought->fd, sought->entry, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* Is `name`, in the first namespace, the directory, and the entry in both the same or in none? */
static bool is_found(const struct broker *broker, const struct sought *sought, const char *name)
{
	char entry_name[NAME_ROOM];
	cleanup_fd int object = open_in_first(broker, name);

	if (object < 0 || !is_same_object(object, sought->fd)) {
		return false;
	}
	if (!sought->entry) {
		return true;
	}
	if (name_join(entry_name, sizeof(entry_name), name, "/") < 0 ||
		strlen(entry_name) + strlen(sought->entry) >= sizeof(entry_name)) {
		return false;
	}
	strcat(entry_name, sought->entry);
	cleanup_fd int theirs = open_entry(sought);
	cleanup_fd int ours = open_in_first(broker, entry_name);
	return theirs >= 0 && ours >= 0 ? is_same_object(theirs, ours) : theirs == ours;
}

/*
 * Each of the names is one by which the session may have it; the one that the thread itself sees is
 * preferred, since the policy was written for such names.
 */
static int search(const struct broker *broker, const struct sought *sought,
	const struct inner *inner, char *name, size_t capacity)
{
	char candidate[NAME_ROOM], best[NAME_ROOM] = "";
	int more;

	for (size_t i = 0; (more = mounts_candidate(broker, inner->device, sought->fd, inner->path,
				    i, candidate, sizeof(candidate))) > 0;
		i++) {
		bool is_seen = strcmp(candidate, name) == 0;
		if ((is_seen || !best[0]) && is_found(broker, sought, candidate)) {
			memcpy(best, candidate, strlen(candidate) + 1);
			if (is_seen) {
				break;
			}
		}
	}
	if (more == -ENODEV) {
		return more;
	}
	if (!best[0] || strlen(best) >= capacity) {
		return MOUNTS_UNKNOWN;
	}
	memcpy(name, best, strlen(best) + 1);
	return MOUNTS_FOUND;
}

/* How many levels `fd` lies below the root of its mount; -1 if that cannot be told. */
static int depth_in_mount(int fd)
{
	cleanup_fd int at = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	for (int depth = 0; at >= 0 && depth < LEVELS_MAX; depth++) {
		struct statx st;
		if (statx(at, "", AT_EMPTY_PATH, STATX_INO, &st) < 0) {
			return -1;
		}
		if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
			return depth;
		}
		int up = openat(at, "..", O_PATH | O_CLOEXEC);
		close(at);
		at = up;
	}
	return -1;
}

/*
 * The table was read after the name: had the mount been moved in between, the name would be cut at
 * another place, and not be as long as the way up is.
 */
static bool is_cut_right(int fd, const struct inner *inner)
{
	return depth_in_mount(fd) == inner->levels;
}

static bool is_device(const struct sought *sought, struct stat *st)
{
	return fstatat(sought->fd, sought->entry ? sought->entry : "", st,
		       AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 &&
	       (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode));
}

/* A device node leads out of the memory that it lies in: it is called as the same one in /dev is.
 */
static int name_device(const struct broker *broker, struct sought *sought,
	const struct stat *device, char *name, size_t capacity)
{
	char usual[NAME_ROOM];
	struct stat st;

	if (device_name(device, usual, sizeof(usual)) < 0 || strlen(usual) >= capacity) {
		return MOUNTS_UNKNOWN;
	}
	cleanup_fd int fd = open_in_first(broker, usual);
	if (fd < 0 || fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != (device->st_mode & S_IFMT) ||
		st.st_rdev != device->st_rdev) {
		return MOUNTS_UNKNOWN;
	}
	memcpy(name, usual, strlen(usual) + 1);
	sought->is_whole = true;
	return MOUNTS_FOUND;
}

/* Of a file system that the first namespace does not know. */
static int name_elsewhere(const struct broker *broker, struct sought *sought,
	const struct inner *inner, char *name, size_t capacity)
{
	struct statfs filesystem;
	struct stat device;

	if (fstatfs(sought->fd, &filesystem) < 0) {
		return -errno;
	}
	switch (filesystem.f_type) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case FUSE_SUPER_MAGIC:
	case MQUEUE_SUPER_MAGIC: /* mq_open(3) reaches it without any name */
		return is_device(sought, &device)
			       ? name_device(broker, sought, &device, name, capacity)
			       : MOUNTS_PRIVATE;
	case DEVPTS_SUPER_MAGIC:
		return MOUNTS_PRIVATE; /* each has terminals of its own */
	case SYSFS_MAGIC:
		break;
	default:
		return MOUNTS_UNKNOWN;
	}
	if (!is_cut_right(sought->fd, inner)) {
		return MOUNTS_UNKNOWN;
	}
	int error =
		name_join(name, capacity, "/sys", strcmp(inner->path, "/") == 0 ? "" : inner->path);
	return error < 0 ? error : MOUNTS_FOUND;
}

static int find(const struct broker *broker, const struct request *request, struct sought *sought,
	char *name, size_t capacity)
{
	struct inner *inner = malloc(sizeof(*inner));
	cleanup_free void *owned = inner;

	if (!inner) {
		return -ENOMEM;
	}
	/* With our own rights: the directories on the way may be closed to the target. */
	assume_broker(broker, request);
	/* Most have the name that the kernel says: no mount has given them another. */
	int answer = is_found(broker, sought, name)
			     ? MOUNTS_FOUND
			     : find_inner(broker, request, sought->fd, name, inner);
	if (answer == 0) {
		answer = search(broker, sought, inner, name, capacity);
		if (answer == -ENODEV) {
			answer = inner->is_recalled
					 ? MOUNTS_UNKNOWN
					 : name_elsewhere(broker, sought, inner, name, capacity);
		}
	}
	assume_target(broker, request);
	return answer == -ENOENT ? MOUNTS_UNKNOWN : answer;
}

int mounts_name(const struct broker *broker, const struct request *request, int fd, char *name,
	size_t capacity)
{
	struct sought sought = {.fd = fd};

	return find(broker, request, &sought, name, capacity);
}

int mounts_name_entry(const struct broker *broker, const struct request *request, int directory,
	const char *entry, char *name, size_t capacity)
{
	struct sought sought = {.fd = directory, .entry = entry};
	int answer = find(broker, request, &sought, name, capacity);

	if (answer != MOUNTS_FOUND || sought.is_whole) {
		return answer;
	}
	int error = name_append(name, capacity, entry);
	return error < 0 ? error : answer;
}

int mounts_root_of(const struct broker *broker, const struct request *request, int fd, char *root,
	size_t capacity)
{
	struct view *view = malloc(sizeof(*view));
	cleanup_free void *owned = view;
	int error = view ? find_view(broker, request, fd, view) : -ENOMEM;

	if (error == 0) {
		error = name_join(root, capacity, view->mount->root, "");
		mount_table_finish(&view->table);
	}
	return error;
}
