/* SPDX-License-Identifier: Apache-2.0 */
/* Acts on an entry of a directory: what makes, removes and renames. */
#include "daemon/broker/act_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/creation_mask.h"
#include "daemon/broker/path_call.h"
#include "daemon/broker/pin.h"
#include "daemon/broker/recover.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

static int errno_of(long result)
{
	return result < 0 ? -errno : 0;
}

static uint64_t argument(const struct request *request, int index)
{
	return request->slot->notification.data.args[index];
}

static int act_unlink(const struct request *request, const struct entry *entry)
{
	int flags = request->path.call->act == PATH_RMDIR ? AT_REMOVEDIR : (int)request->path.flags;

	return errno_of(unlinkat(entry->directory, entry->name, flags));
}

static int act_mkdir(
	const struct broker *broker, const struct request *request, const struct entry *entry)
{
	mode_t mode = (mode_t)argument(request, request->path.call->path + 1);
	int error = creation_mask_take(broker, request->tid);

	/* The library's functions would do; the raw calls take modes as they come. */
	return error < 0 ? error
			 : errno_of(syscall(SYS_mkdirat, entry->directory, entry->name, mode));
}

static int act_mknod(
	const struct broker *broker, const struct request *request, const struct entry *entry)
{
	int next = request->path.call->path + 1;
	int error = creation_mask_take(broker, request->tid);

	return error < 0 ? error
			 : errno_of(syscall(SYS_mknodat, entry->directory, entry->name,
				   (mode_t)argument(request, next),
				   (unsigned int)argument(request, next + 1)));
}

static int act_symlink(const struct request *request, const struct entry *entry)
{
	return errno_of(symlinkat(request->path.text, entry->directory, entry->name));
}

/* What a descriptor or a magic link led to has no entry that could be named. */
static int link_object(const struct broker *broker, int object, const struct entry *to)
{
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", object);
	return errno_of(
		linkat(broker->proc_fds, number, to->directory, to->name, AT_SYMLINK_FOLLOW));
}

static int link_to(const struct broker *broker, const struct request *request,
	const struct entry *from, const struct entry *to)
{
	if (request->path.is_descriptor) {
		return link_object(broker, request->place.start, to);
	}
	if (request->place.kind == PLACE_OBJECT) {
		return link_object(broker, request->place.object, to);
	}
	return errno_of(linkat(from->directory, from->name, to->directory, to->name, 0));
}

static int rename_to(
	const struct request *request, const struct entry *from, const struct entry *to)
{
	unsigned int flags = request->path.flags;

	if (request->path.no_replace) {
		flags |= RENAME_NOREPLACE;
	}
	return errno_of(renameat2(from->directory, from->name, to->directory, to->name, flags));
}

static int act_on(const struct broker *broker, const struct request *request,
	const struct entry *from, const struct entry *entry)
{
	switch (request->path.call->act) {
	case PATH_UNLINK:
	case PATH_RMDIR:
		return act_unlink(request, entry);
	case PATH_MKDIR:
		return act_mkdir(broker, request, entry);
	case PATH_MKNOD:
		return act_mknod(broker, request, entry);
	case PATH_SYMLINK:
		return act_symlink(request, entry);
	case PATH_LINK:
		return link_to(broker, request, from, entry);
	case PATH_RENAME:
		return rename_to(request, from, entry);
	default:
		return -ENOSYS;
	}
}

/* Are both names of one file? */
static bool is_linked(const struct place *place, const struct entry *entry)
{
	struct stat from, to;

	return fstatat(place->directory, place->name, &from, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(entry->directory, entry->name, &to, AT_SYMLINK_NOFOLLOW) == 0 &&
	       from.st_dev == to.st_dev && from.st_ino == to.st_ino;
}

/*
 * A broker that died may have done this before: then what was to be removed is gone, and what was
 * to be made is there since.
 */
static bool was_done(const struct request *request, const struct entry *entry, int error)
{
	switch (request->path.call->act) {
	case PATH_UNLINK:
	case PATH_RMDIR:
	case PATH_RENAME:
		return error == -ENOENT;
	case PATH_LINK:
		return error == -EEXIST && is_linked(&request->place, entry);
	default:
		return error == -EEXIST && recover_is_new(request, entry->directory, entry->name);
	}
}

/* The first of two names, where it is one: it is looked at before the second. */
static int pin_first(const struct request *request, struct entry *entry)
{
	*entry = (struct entry){.directory = -1, .name = ""};
	if (request->path.call->path_second == NO_ARGUMENT || request->path.is_descriptor ||
		request->place.kind == PLACE_OBJECT) {
		return 0;
	}
	return pin_entry(&request->place, entry);
}

static bool is_directory(const struct place *place)
{
	struct stat st;

	return fstatat(place->directory, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* As may_delete() of the kernel, but for sticky directories; then it is in use. */
static int refuse_in_use(const struct place *place, bool wants_directory)
{
	long refused = syscall(
		SYS_faccessat2, place->directory, "", W_OK | X_OK, AT_EACCESS | AT_EMPTY_PATH);

	if (refused < 0) {
		return -errno;
	}
	if (is_directory(place) == wants_directory) {
		return -EBUSY;
	}
	return wants_directory ? -ENOTDIR : -EISDIR;
}

static int refuse_rename(const struct request *request)
{
	const struct place *from = &request->place, *to = &request->second;
	unsigned int flags = request->path.flags;

	if (from->is_mount_point) {
		return refuse_in_use(from, is_directory(from));
	}
	if (request->path.no_replace || flags & RENAME_NOREPLACE) {
		return -EEXIST;
	}
	return refuse_in_use(to, is_directory(flags & RENAME_EXCHANGE ? to : from));
}

/* In other mounts than ours, which the kernel looks at only for who is in them. */
static int check_mount_points(const struct request *request)
{
	const struct path_request *path = &request->path;
	bool is_used = request->place.is_mount_point;

	switch (path->call->act) {
	case PATH_UNLINK:
		return is_used ? refuse_in_use(&request->place, path->flags & AT_REMOVEDIR) : 0;
	case PATH_RMDIR:
		return is_used ? refuse_in_use(&request->place, true) : 0;
	case PATH_RENAME:
		return is_used || request->second.is_mount_point ? refuse_rename(request) : 0;
	default:
		return 0;
	}
}

int act_on_entry(const struct broker *broker, struct request *request)
{
	bool has_second = request->path.call->path_second != NO_ARGUMENT;
	bool repeated = recover_is_repeated(request);
	struct entry from = {.directory = -1, .name = ""}, entry = from;
	int error = check_mount_points(request);

	if (error == 0) {
		error = pin_first(request, &from);
	}
	if (error == 0) {
		error = pin_entry(has_second ? &request->second : &request->place, &entry);
	}
	if (error == 0) {
		recover_note(request);
		error = act_on(broker, request, &from, &entry);
		if (repeated && was_done(request, &entry, error)) {
			error = 0;
		}
	}
	pin_release_entry(&entry);
	pin_release_entry(&from);
	return error;
}
