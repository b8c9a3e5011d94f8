/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acts on a pinned object: what asks about it and what changes its attributes. Where a call takes
 * no descriptor the object is named by the magic link of our own descriptor, which leads to it and
 * to nothing else, be it a symbolic link itself.
 */
#include "daemon/broker/act_object.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/idmap.h"
#include "daemon/broker/path_call.h"
#include "daemon/broker/procfs.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

struct object {
	const struct broker *broker;
	int fd;
	char link[32]; /* /proc/self/fd/N */
};

static int result_of(long result)
{
	return result < 0 ? -errno : (int)result;
}

static uint64_t argument(const struct request *request, int index)
{
	return request->slot->notification.data.args[index];
}

/* The argument behind the path's. */
static uint64_t next_argument(const struct request *request, int further)
{
	return argument(request, request->path.call->path + 1 + further);
}

/* As much of the room as the call has filled; a size alone was asked for where there was none. */
static int filled(struct request *request, int result)
{
	request->path.data_size = result > 0 && request->path.data_size > 0 ? (size_t)result : 0;
	return result;
}

/* RLIMIT_FSIZE is the target's, and so is the signal, as inode_newsize_ok() of the kernel has it.
 */
static bool is_beyond_limit(const struct request *request, int fd, off_t length)
{
	struct rlimit limit;
	struct stat st;

	return prlimit(request->tid, RLIMIT_FSIZE, NULL, &limit) == 0 &&
	       limit.rlim_cur != RLIM_INFINITY && length > 0 && (rlim_t)length > limit.rlim_cur &&
	       fstat(fd, &st) == 0 && length > st.st_size;
}

static int act_truncate(struct request *request, const struct object *object)
{
	off_t length = (off_t)next_argument(request, 0);

	if (is_beyond_limit(request, object->fd, length)) {
		(void)syscall(SYS_tgkill, target_tgid(request->tid), request->tid, SIGXFSZ);
		return -EFBIG;
	}
	return result_of(truncate(object->link, length));
}

static int act_chmod(struct request *request, const struct object *object)
{
	return result_of(
		syscall(SYS_fchmodat, AT_FDCWD, object->link, (mode_t)next_argument(request, 0)));
}

/* Are ids to be translated between the target's user namespace and ours? */
static bool ids_differ(const struct broker *broker, const struct request *request)
{
	return broker_knows(broker, SESSION_IDS_VARY) && !request->joined &&
	       target_is_in_other_user_namespace(request->tid);
}

static bool translate_owner(const struct request *request, uint32_t *uid, uint32_t *gid)
{
	struct idmap map;

	return idmap_read(&map, request->tid, "uid_map") == 0 && idmap_outward(&map, uid) &&
	       idmap_read(&map, request->tid, "gid_map") == 0 && idmap_outward(&map, gid);
}

static int act_chown(struct request *request, const struct object *object)
{
	uint32_t uid = (uint32_t)next_argument(request, 0);
	uint32_t gid = (uint32_t)next_argument(request, 1);

	if (ids_differ(object->broker, request) && !translate_owner(request, &uid, &gid)) {
		return -EINVAL;
	}
	return result_of(fchownat(object->fd, "", uid, gid, AT_EMPTY_PATH));
}

static int act_utime(struct request *request, const struct object *object)
{
	const struct timespec *times = request->path.now ? NULL : request->path.times;

	return result_of(syscall(SYS_utimensat, AT_FDCWD, object->link, times, 0));
}

static int act_setxattr(struct request *request, const struct object *object)
{
	return result_of(setxattr(object->link, request->path.text, request->path.data,
		request->path.data_size, (int)argument(request, 4)));
}

static int act_removexattr(struct request *request, const struct object *object)
{
	return result_of(removexattr(object->link, request->path.text));
}

static int act_getxattr(struct request *request, const struct object *object)
{
	return filled(request, result_of(getxattr(object->link, request->path.text,
				       request->path.data, request->path.data_size)));
}

static int act_listxattr(struct request *request, const struct object *object)
{
	return filled(request,
		result_of(listxattr(object->link, request->path.data, request->path.data_size)));
}

static int act_statfs(struct request *request, const struct object *object)
{
	return result_of(fstatfs(object->fd, request->path.data));
}

static void tell_owner(const struct request *request, uint32_t *uid, uint32_t *gid)
{
	struct idmap map;

	if (idmap_read(&map, request->tid, "uid_map") == 0) {
		*uid = idmap_inward(&map, *uid);
	}
	if (idmap_read(&map, request->tid, "gid_map") == 0) {
		*gid = idmap_inward(&map, *gid);
	}
}

static int act_stat(struct request *request, const struct object *object)
{
	struct stat *st = request->path.data;
	int flags = (int)(request->path.flags & AT_NO_AUTOMOUNT) | AT_EMPTY_PATH;
	int result = result_of(syscall(SYS_newfstatat, object->fd, "", st, flags));

	if (result == 0 && ids_differ(object->broker, request)) {
		tell_owner(request, &st->st_uid, &st->st_gid);
	}
	return result;
}

static int act_statx(struct request *request, const struct object *object)
{
	struct statx *st = request->path.data;
	unsigned int kept = AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE;
	int flags = (int)(request->path.flags & kept) | AT_EMPTY_PATH;
	int result = result_of(
		syscall(SYS_statx, object->fd, "", flags, (unsigned int)argument(request, 3), st));

	if (result == 0 && ids_differ(object->broker, request)) {
		tell_owner(request, &st->stx_uid, &st->stx_gid);
	}
	return result;
}

static int act_access(struct request *request, const struct object *object)
{
	/* Which ids are asked about, the real ones or not, has been seen to: they are in force. */
	return result_of(syscall(SYS_faccessat2, object->fd, "", (int)next_argument(request, 0),
		AT_EACCESS | AT_EMPTY_PATH));
}

/* /proc/self is what the target would read, also where the link itself is asked for. */
static int act_readlink(struct request *request, const struct object *object)
{
	struct path_request *path = &request->path;
	struct stat st;

	if (fstat(object->fd, &st) < 0 || !S_ISLNK(st.st_mode)) {
		return path->is_descriptor ? -ENOENT : -EINVAL;
	}
	if (request->place.kind == PLACE_NAME &&
		procfs_link_kind(object->broker, request, object->fd, request->place.directory,
			request->place.name, path->text, sizeof(path->text)) == PROCFS_TEXT) {
		size_t length = strlen(path->text);
		if (length == 0) {
			return -ENOENT;
		}
		length = length < path->data_size ? length : path->data_size;
		memcpy(path->data, path->text, length);
		return filled(request, (int)length);
	}
	return filled(request, result_of(readlinkat(object->fd, "", path->data, path->data_size)));
}

static int act_watch(struct request *request, const struct object *object)
{
	uint32_t mask = (uint32_t)argument(request, 2) & ~(uint32_t)IN_DONT_FOLLOW;

	/* Some bit there must be, and this one asks for nothing. */
	return result_of(inotify_add_watch(request->path.taken, object->link, mask | IN_ISDIR));
}

#define HANDLE_MNT_ID_UNIQUE 0x1 /* AT_HANDLE_MNT_ID_UNIQUE, Linux 6.12 */

static int act_handle(struct request *request, const struct object *object)
{
	struct path_request *path = &request->path;
	struct file_handle *handle = path->data;
	unsigned int kept = path->flags & ~(unsigned int)AT_EMPTY_PATH;
	int result = result_of(syscall(SYS_name_to_handle_at, AT_FDCWD, object->link, handle,
		&path->mount, (int)kept | AT_SYMLINK_FOLLOW));

	/* One that does not fit tells its size and its mount all the same. */
	path->reply_on_error = result == -EOVERFLOW;
	path->has_mount = result == 0 || path->reply_on_error;
	path->mount_size = kept & HANDLE_MNT_ID_UNIQUE ? sizeof(uint64_t) : sizeof(int);
	path->data_size = sizeof(*handle) + (result == 0 ? handle->handle_bytes : 0);
	return result;
}

/* The kernel itself will change it: here it is only looked whether there is something. */
static int act_chdir(struct request *request, const struct object *object)
{
	(void)request;
	(void)object;
	return 0;
}

static int (*const acts[PATH_ACTS])(struct request *, const struct object *) = {
	[PATH_CHDIR] = act_chdir,
	[PATH_TRUNCATE] = act_truncate,
	[PATH_CHMOD] = act_chmod,
	[PATH_CHOWN] = act_chown,
	[PATH_UTIME] = act_utime,
	[PATH_UTIMES] = act_utime,
	[PATH_UTIMENS] = act_utime,
	[PATH_SETXATTR] = act_setxattr,
	[PATH_REMOVEXATTR] = act_removexattr,
	[PATH_STATFS] = act_statfs,
	[PATH_STAT] = act_stat,
	[PATH_STATX] = act_statx,
	[PATH_ACCESS] = act_access,
	[PATH_READLINK] = act_readlink,
	[PATH_GETXATTR] = act_getxattr,
	[PATH_LISTXATTR] = act_listxattr,
	[PATH_WATCH] = act_watch,
	[PATH_HANDLE] = act_handle,
};

int act_on_object(const struct broker *broker, struct request *request, int fd)
{
	struct object object = {.broker = broker, .fd = fd};

	(void)snprintf(object.link, sizeof(object.link), "/proc/self/fd/%d", fd);
	return acts[request->path.call->act](request, &object);
}
