/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/decode_path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <utime.h>

#include "daemon/broker/broker.h"
#include "daemon/broker/decode_place.h"
#include "daemon/broker/path_call.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"
#include "daemon/broker/target_fd.h"

/* Of the kernel's include/linux/inotify.h. */
#define ALL_INOTIFY_BITS                                                                         \
	(IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW | \
		IN_EXCL_UNLINK | IN_MASK_ADD | IN_MASK_CREATE | IN_ISDIR | IN_ONESHOT)

/* Registers of the call by the numbers that each system call's manual page gives them. */
static uint64_t argument(const struct request *request, int index)
{
	return request->slot->notification.data.args[index];
}

static bool follows(const struct path_call *call, unsigned int flags)
{
	switch (call->follow) {
	case FOLLOW_LAST:
		return true;
	case FOLLOW_UNLESS:
		return !(flags & AT_SYMLINK_NOFOLLOW);
	case FOLLOW_IF:
		return flags & AT_SYMLINK_FOLLOW;
	case FOLLOW_SLASH:
	case FOLLOW_NOTHING:
	case FOLLOW_NEVER:
		break;
	}
	return false;
}

static int decode_flags(struct request *request, const struct path_call *call)
{
	struct path_request *path = &request->path;

	path->flags = call->flags == NO_ARGUMENT ? 0 : (unsigned int)argument(request, call->flags);
	if (call->flags != NO_ARGUMENT && (path->flags & ~call->flags_known)) {
		return -EINVAL;
	}
	if (call->act == PATH_STATX && ((path->flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
					       (argument(request, 3) & STATX__RESERVED))) {
		return -EINVAL;
	}
	path->follow = follows(call, path->flags);
	return 0;
}

/* The target's descriptor itself; one of O_PATH is good for none of these calls. */
static int decode_descriptor(struct request *request, int fd)
{
	struct place *place = &request->place;

	request->path.is_descriptor = true;
	place->start = target_take_fd(request->tid, fd);
	if (place->start < 0) {
		return place->start;
	}
	return fcntl(place->start, F_GETFL) & O_PATH ? -EBADF : 0;
}

/* futimens(3): without a name these change what the descriptor is of. */
static bool takes_descriptor(const struct path_call *call)
{
	return call->act == PATH_UTIMENS || call->act == PATH_UTIMES;
}

/* The name and where it begins. An empty one with AT_EMPTY_PATH is the descriptor itself. */
static int decode_name(
	const struct broker *broker, struct request *request, const struct path_call *call)
{
	struct path_request *path = &request->path;
	int dirfd = call->dirfd == NO_ARGUMENT ? AT_FDCWD : (int)argument(request, call->dirfd);

	if (call->follow == FOLLOW_NOTHING) {
		return decode_descriptor(request, (int)argument(request, call->path));
	}
	if (argument(request, call->path) == 0 && takes_descriptor(call)) {
		if (dirfd == AT_FDCWD) {
			return -EFAULT;
		}
		return path->flags ? -EINVAL : decode_descriptor(request, dirfd);
	}
	int error = target_read_string(
		request->tid, argument(request, call->path), path->path, sizeof(path->path));

	if (error < 0) {
		return error;
	}
	/* readlink(2) knows no such flag and takes an empty name all the same. */
	if (path->path[0] == '\0' && !(path->flags & AT_EMPTY_PATH) && call->act != PATH_READLINK) {
		return -ENOENT;
	}
	path->is_descriptor = path->path[0] == '\0';
	return decode_place(broker, request, &request->place, path->path[0] == '/', dirfd);
}

static int decode_second_name(
	const struct broker *broker, struct request *request, const struct path_call *call)
{
	struct path_request *path = &request->path;
	int dirfd = call->dirfd_second == NO_ARGUMENT ? AT_FDCWD
						      : (int)argument(request, call->dirfd_second);

	if (call->path_second == NO_ARGUMENT) {
		return 0;
	}
	int error = target_read_string(request->tid, argument(request, call->path_second),
		path->second_path, sizeof(path->second_path));
	if (error == 0 && path->second_path[0] == '\0') {
		error = -ENOENT;
	}
	return error < 0 ? error
			 : decode_place(broker, request, &request->second,
				   path->second_path[0] == '/', dirfd);
}

/* Room of our own for what goes in or comes out. */
static int make_data(struct path_request *path, size_t size)
{
	path->data = malloc(size ? size : 1);
	path->data_size = size;
	return path->data ? 0 : -ENOMEM;
}

static int decode_reply(struct request *request, int address, size_t room)
{
	request->path.has_reply = true;
	request->path.reply = argument(request, address);
	return make_data(&request->path, room);
}

static int decode_xattr_name(struct request *request)
{
	char *name = request->path.text;
	int error =
		target_read_string(request->tid, argument(request, 1), name, XATTR_NAME_MAX + 1);

	return error == -ENAMETOOLONG || (error == 0 && name[0] == '\0') ? -ERANGE : error;
}

static int decode_xattr_value(struct request *request)
{
	struct path_request *path = &request->path;
	size_t size = argument(request, 3);

	if ((unsigned int)argument(request, 4) & ~(unsigned int)(XATTR_CREATE | XATTR_REPLACE)) {
		return -EINVAL;
	}
	int error = decode_xattr_name(request);
	if (error == 0 && size > XATTR_SIZE_MAX) {
		error = -E2BIG;
	}
	if (error == 0) {
		error = make_data(path, size);
	}
	return error < 0 || size == 0
		       ? error
		       : target_read(request->tid, argument(request, 2), path->data, size);
}

/* The kernel cuts the room that it is offered at what a value can have. */
static int decode_xattr_room(struct request *request, int address)
{
	size_t room = argument(request, address + 1);

	return decode_reply(request, address, room > XATTR_SIZE_MAX ? XATTR_SIZE_MAX : room);
}

static int decode_readlink_room(struct request *request, int address)
{
	int room = (int)argument(request, address + 1);

	if (room <= 0) {
		return -EINVAL;
	}
	return decode_reply(request, address, room > PATH_MAX ? PATH_MAX : (size_t)room);
}

/* All forms become timespecs, as in the kernel. */
static int decode_times(struct request *request, int address)
{
	struct path_request *path = &request->path;
	union {
		struct utimbuf seconds;
		struct timeval micro[2];
		struct timespec nano[2];
	} times;
	size_t size = path->call->act == PATH_UTIME    ? sizeof(times.seconds)
		      : path->call->act == PATH_UTIMES ? sizeof(times.micro)
						       : sizeof(times.nano);

	path->now = argument(request, address) == 0;
	if (path->now) {
		return 0;
	}
	int error = target_read(request->tid, argument(request, address), &times, size);
	if (error < 0) {
		return error;
	}
	for (int i = 0; i < 2; i++) {
		if (path->call->act == PATH_UTIME) {
			path->times[i].tv_sec = i ? times.seconds.modtime : times.seconds.actime;
			path->times[i].tv_nsec = 0;
		} else if (path->call->act == PATH_UTIMES) {
			if (times.micro[i].tv_usec < 0 || times.micro[i].tv_usec >= 1000000) {
				return -EINVAL;
			}
			path->times[i].tv_sec = times.micro[i].tv_sec;
			path->times[i].tv_nsec = times.micro[i].tv_usec * 1000;
		} else {
			path->times[i] = times.nano[i];
		}
	}
	return 0;
}

static bool is_inotify(int fd)
{
	char link[32], text[32] = "";

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, text, sizeof(text) - 1) > 0 &&
	       strcmp(text, "anon_inode:inotify") == 0;
}

/* inotify(7) watches by a descriptor of the target's, which is taken once. */
static int decode_watch(struct request *request)
{
	struct path_request *path = &request->path;
	uint32_t mask = (uint32_t)argument(request, 2);

	if (mask == 0 || (mask & ~(uint32_t)ALL_INOTIFY_BITS)) {
		return -EINVAL;
	}
	path->follow = !(mask & IN_DONT_FOLLOW);
	path->taken = target_take_fd(request->tid, (int)argument(request, 0));
	if (path->taken < 0) {
		return path->taken;
	}
	if (fcntl(path->taken, F_GETFL) & O_PATH) {
		return -EBADF;
	}
	bool is_contrary = (mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE);
	return is_contrary || !is_inotify(path->taken) ? -EINVAL : 0;
}

/* struct file_handle begins with the room that its caller has behind it. */
static int decode_handle(struct request *request)
{
	struct file_handle head;
	int error = target_read(request->tid, argument(request, 2), &head, sizeof(head));

	if (error < 0) {
		return error;
	}
	/* More than there can be is refused by the kernel, which reads no further then. */
	unsigned int room = head.handle_bytes > MAX_HANDLE_SZ ? 0 : head.handle_bytes;
	error = decode_reply(request, 2, sizeof(head) + room);
	if (error == 0) {
		memcpy(request->path.data, &head, sizeof(head));
	}
	return error;
}

static int decode_symlink_text(struct request *request)
{
	struct path_request *path = &request->path;
	int error = target_read_string(
		request->tid, argument(request, 0), path->text, sizeof(path->text));

	return error == 0 && path->text[0] == '\0' ? -ENOENT : error;
}

/* may_mknod() of the kernel's fs/namei.c, which is asked before the name is. */
static int check_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

/* As do_renameat2() of the kernel, which asks this first. */
static int decode_rename(struct request *request)
{
	unsigned int known = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
	unsigned int flags = request->slot->notification.data.nr == SYS_renameat2
				     ? (unsigned int)argument(request, 4)
				     : 0;
	bool exchanges = flags & RENAME_EXCHANGE;

	request->path.flags = flags;

	return (flags & ~known) || (exchanges && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
		       ? -EINVAL
		       : 0;
}

/* What each call has beside its names. Behind the path's own argument, in the older calls and the
 * newer. */
static int decode_rest(struct request *request, const struct path_call *call)
{
	int next = call->path + 1;

	switch (call->act) {
	case PATH_SYMLINK:
		return decode_symlink_text(request);
	case PATH_TRUNCATE:
		return (int64_t)argument(request, next) < 0 ? -EINVAL : 0;
	case PATH_MKNOD:
		return check_kind((mode_t)argument(request, next));
	case PATH_RENAME:
		return decode_rename(request);
	case PATH_ACCESS:
		return (unsigned int)argument(request, next) & ~7u ? -EINVAL : 0;
	case PATH_UTIME:
	case PATH_UTIMES:
	case PATH_UTIMENS:
		return decode_times(request, next);
	case PATH_SETXATTR:
		return decode_xattr_value(request);
	case PATH_REMOVEXATTR:
		return decode_xattr_name(request);
	case PATH_GETXATTR: {
		int error = decode_xattr_name(request);
		return error < 0 ? error : decode_xattr_room(request, 2);
	}
	case PATH_LISTXATTR:
		return decode_xattr_room(request, 1);
	case PATH_READLINK:
		return decode_readlink_room(request, next);
	case PATH_STAT:
		return decode_reply(request, next, sizeof(struct stat));
	case PATH_STATX:
		return decode_reply(request, 4, sizeof(struct statx));
	case PATH_STATFS:
		return decode_reply(request, 1, sizeof(struct statfs));
	case PATH_WATCH:
		return decode_watch(request);
	case PATH_HANDLE:
		/* Its own arguments are looked at after the name. */
		request->path.late_error = decode_handle(request);
		return 0;
	default:
		return 0;
	}
}

/* utimensat(2): then not even the name is looked at. */
static bool changes_no_time(const struct path_request *path)
{
	return path->call->act == PATH_UTIMENS && !path->now &&
	       path->times[0].tv_nsec == UTIME_OMIT && path->times[1].tv_nsec == UTIME_OMIT;
}

int decode_path(const struct broker *broker, struct request *request, const struct path_call *call)
{
	request->call = CALL_PATH;
	request->path.call = call;
	request->path.is_descriptor = request->path.reply_on_error = request->path.has_mount =
		false;
	request->path.has_reply = false;
	request->path.late_error = 0;
	request->path.data_size = 0;
	request->path.path[0] = request->path.second_path[0] = '\0';
	/* Without a name there is only a number: the kernel itself may judge it. */
	if (argument(request, call->path) == 0 && call->follow != FOLLOW_NOTHING &&
		!takes_descriptor(call) &&
		(call->path_second == NO_ARGUMENT || argument(request, call->path_second) == 0)) {
		request->call = CALL_HARMLESS;
		return 0;
	}
	bool rest_first = call->act == PATH_UTIMENS;
	int error = rest_first ? decode_rest(request, call) : decode_flags(request, call);

	if (error == 0 && rest_first && changes_no_time(&request->path)) {
		request->call = CALL_NOTHING;
		return 0;
	}
	if (error == 0) {
		error = rest_first ? decode_flags(request, call) : decode_rest(request, call);
	}
	if (error == 0) {
		error = decode_name(broker, request, call);
	}
	return error < 0 ? error : decode_second_name(broker, request, call);
}
