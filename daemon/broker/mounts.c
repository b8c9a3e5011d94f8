/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/mounts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/mount_table.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/names.h"
#include "daemon/broker/namespaces.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

#define TRIES 8u

/*
 * A file system, by its device. The number of one that is gone goes to the next that has none of
 * its own; one in memory is known from that by a number that was drawn for it.
 */
struct known {
	dev_t device;
	uint64_t drawn; /* 0: whatever has the device is taken for it */
};

/* Our own table, read again whenever the kernel says that it has changed. */
struct mounts {
	int fd;
	pthread_mutex_t mutex;
	struct mount_table table;
	struct known *known; /* all that was ever seen there: what is unmounted does not become
				private */
	size_t known_count;
};

static struct known *find_device(const struct mounts *mounts, dev_t device)
{
	for (size_t i = 0; i < mounts->known_count; i++) {
		if (mounts->known[i].device == device) {
			return &mounts->known[i];
		}
	}
	return NULL;
}

/* 0 where none is: it is drawn by tmpfs alone, since Linux 5.13. */
static uint64_t number_drawn_for(int fd)
{
	struct statfs filesystem;
	uint64_t drawn = 0;

	static_assert(sizeof(filesystem.f_fsid) == sizeof(drawn), "all of it is looked at");
	if (fstatfs(fd, &filesystem) == 0 && filesystem.f_type == TMPFS_MAGIC) {
		memcpy(&drawn, &filesystem.f_fsid, sizeof(drawn));
	}
	return drawn;
}

/* Where a mount is, without asking any file system on the way, which might never answer. */
static int open_point(const char *point)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_CACHED};
	int fd = -1;

	/* EAGAIN: somebody mounts or renames at the same moment. */
	for (unsigned int i = 0; i < TRIES; i++) {
		fd = (int)syscall(SYS_openat2, AT_FDCWD, point, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN) {
			break;
		}
	}
	return fd;
}

/* Without asking it, as open_point(). */
static bool is_of_device(int fd, dev_t device)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	       makedev(st.stx_dev_major, st.stx_dev_minor) == device;
}

/* Only of what lies in memory, which answers at once; another may be mounted over it. */
static uint64_t number_drawn_at(const struct mount *mount)
{
	cleanup_fd int fd = strcmp(mount->type, "tmpfs") == 0 ? open_point(mount->point) : -1;

	return fd >= 0 && is_of_device(fd, mount->device) ? number_drawn_for(fd) : 0;
}

static bool knows(const struct mounts *mounts, dev_t device, int object)
{
	const struct known *known = find_device(mounts, device);

	if (!known || known->drawn == 0) {
		return known;
	}
	uint64_t drawn = number_drawn_for(object);
	return drawn == 0 || drawn == known->drawn;
}

/* Takes `fresh` over. 0 or -ENOMEM, then nothing has changed. */
static int take_table(struct mounts *mounts, struct mount_table *fresh)
{
	struct known *room =
		reallocarray(mounts->known, mounts->known_count + fresh->count + 1, sizeof(*room));

	if (!room) {
		return -ENOMEM;
	}
	mounts->known = room;
	/* Who had a device before is gone, or is the same. */
	for (size_t i = 0; i < fresh->count; i++) {
		struct known *known = find_device(mounts, fresh->mounts[i].device);
		if (!known) {
			known = &mounts->known[mounts->known_count++];
		}
		*known = (struct known){.device = fresh->mounts[i].device};
	}
	for (size_t i = 0; i < fresh->count; i++) {
		struct known *known = find_device(mounts, fresh->mounts[i].device);
		if (known->drawn == 0) {
			known->drawn = number_drawn_at(&fresh->mounts[i]);
		}
	}
	mount_table_finish(&mounts->table);
	mounts->table = *fresh;
	return 0;
}

static int read_table(struct mounts *mounts)
{
	struct mount_table fresh;
	int error = mount_table_read(&fresh, mounts->fd);

	if (error == 0) {
		error = take_table(mounts, &fresh);
		if (error < 0) {
			mount_table_finish(&fresh);
		}
	}
	return error;
}

int mounts_new(struct mounts **mountsp)
{
	struct mounts *mounts = calloc(1, sizeof(*mounts));

	if (!mounts) {
		return -ENOMEM;
	}
	mounts->fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	int error = mounts->fd < 0 ? -errno : -pthread_mutex_init(&mounts->mutex, NULL);
	if (error == 0) {
		error = read_table(mounts);
	}
	*mountsp = error < 0 ? NULL : mounts;
	if (error < 0) {
		mounts_free(mounts);
	}
	return error;
}

void mounts_free(struct mounts *mounts)
{
	if (mounts) {
		close_fd(&mounts->fd);
		mount_table_finish(&mounts->table);
		free(mounts->known);
		free(mounts);
	}
}

/* Locked: what it returns is valid until mounts_unlock(). */
static const struct mount_table *lock_table(struct mounts *mounts)
{
	struct pollfd changed = {.fd = mounts->fd, .events = POLLPRI};

	pthread_mutex_lock(&mounts->mutex);
	/* The kernel tells each change once; what then cannot be read is as if it were empty, so
	 * that nothing is taken for ours. */
	if (poll(&changed, 1, 0) != 0 && read_table(mounts) < 0) {
		mount_table_finish(&mounts->table);
	}
	return &mounts->table;
}

static void unlock_table(struct mounts *mounts)
{
	pthread_mutex_unlock(&mounts->mutex);
}

static bool is_in_table(struct mounts *mounts, int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID)) {
		return false;
	}
	bool is_own = mount_table_find(lock_table(mounts), st.stx_mnt_id);
	unlock_table(mounts);
	return is_own;
}

bool mounts_is_foreign(const struct broker *broker, int fd)
{
	return broker_knows(broker, SESSION_MOUNTS_VARY) && !is_in_table(broker->mounts, fd);
}

bool mounts_is_first(const struct broker *broker, int fd)
{
	return !broker->is_elsewhere && is_in_table(broker->mounts, fd);
}

int mounts_candidate(const struct broker *broker, dev_t device, int object, const char *inner,
	size_t nth, char *name, size_t capacity)
{
	const struct mount_table *table = lock_table(broker->mounts);
	int found = knows(broker->mounts, device, object) ? 0 : -ENODEV;

	for (size_t i = 0; found == 0 && i < table->count; i++) {
		const struct mount *mount = &table->mounts[i];
		const char *rest = mount->device == device ? name_rest(inner, mount->root) : NULL;
		if (rest && nth-- == 0) {
			found = name_join(name, capacity, mount->point, rest) == 0 ? 1 : 0;
			break;
		}
	}
	unlock_table(broker->mounts);
	return found;
}

static bool look_at(int fd, struct statx *st)
{
	return statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, st) == 0;
}

static bool is_root_of(const struct mount_table *table, uint64_t id)
{
	const struct mount *mount = mount_table_find(table, id);

	return mount && strcmp(mount->point, "/") == 0;
}

/*
 * A table tells of what lies below its process's root: of all the namespace if `root` is that, and
 * there is nothing above it but what is mounted over it (pivot_root(2) tells when that is so). The
 * process may change its root at any time, so the table itself has to say which it was; `root` has
 * been held since before it was read, so that the mount's number is no other's.
 */
static bool has_whole_view(int root, const struct mount_table *table)
{
	cleanup_fd int above = openat(root, "..", O_PATH | O_CLOEXEC);
	struct statx here, there;

	if (above < 0 || !look_at(root, &here) || !look_at(above, &there) ||
		!is_root_of(table, here.stx_mnt_id)) {
		return false;
	}
	return here.stx_mnt_id == there.stx_mnt_id ? here.stx_ino == there.stx_ino
						   : is_root_of(table, there.stx_mnt_id);
}

/* Somebody of the session who sees all of a namespace, in which another one has changed his root.
 */
struct overview {
	struct stat namespace;
	uint64_t mount; /* of the namespace: who has it in his table has looked there */
	struct mount_table table;
};

static bool sees_all(void *state, int process)
{
	struct overview *overview = state;
	struct stat namespace;

	if (namespaces_of_process(process, NAMESPACE_MOUNTS, &namespace) < 0 ||
		!namespaces_is_same(&namespace, &overview->namespace)) {
		return false;
	}
	cleanup_fd int root = openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	mount_table_finish(&overview->table);
	return root >= 0 && mount_table_read_of_process(&overview->table, process) == 0 &&
	       mount_table_find(&overview->table, overview->mount) &&
	       has_whole_view(root, &overview->table);
}

/* All mounts of the thread's namespace. 0 or a negative errno; to be finished in either case. */
static int read_whole_table(const struct broker *broker, pid_t tid, struct mount_table *table)
{
	struct overview overview = {0};
	struct statx here;
	cleanup_fd int root = target_open_root(tid);

	if (root < 0 || mount_table_read_of(table, tid) < 0 || !look_at(root, &here)) {
		return -ESRCH;
	}
	if (has_whole_view(root, table)) {
		return 0;
	}
	overview.mount = here.stx_mnt_id;
	if (namespaces_of(tid, NAMESPACE_MOUNTS, &overview.namespace) < 0) {
		return -ESRCH;
	}
	bool found = namespaces_find(broker, NAMESPACE_MOUNTS, sees_all, &overview);
	mount_table_finish(table);
	*table = overview.table;
	return found ? 0 : -ENOENT;
}

/*
 * Once it is so that they do not, it stays so: nothing in the namespace becomes a peer of something
 * in the first one any more (admit.h).
 */
bool mounts_reach_first(const struct broker *broker, const struct request *request)
{
	struct mount_table table = {0};

	if (namespaces_is_of_other_owner(request->tid)) {
		return false;
	}
	bool reach = read_whole_table(broker, request->tid, &table) < 0;
	if (!reach) {
		reach = mount_table_propagates_to(&table, lock_table(broker->mounts));
		unlock_table(broker->mounts);
	}
	mount_table_finish(&table);
	return reach;
}
