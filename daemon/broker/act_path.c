/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that take a path and do not open it: pin, act, and give back what was asked for. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/act.h"
#include "daemon/broker/act_entry.h"
#include "daemon/broker/act_object.h"
#include "daemon/broker/assume.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/names.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/path_call.h"
#include "daemon/broker/pin.h"
#include "daemon/broker/procfs.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

static bool is_of_entry(enum path_act act)
{
	return act <= PATH_RENAME;
}

/* What is written, and where to; returns how many parts. */
static size_t collect_parts(const struct request *request, struct iovec *there, struct iovec *here)
{
	const struct path_request *path = &request->path;
	size_t count = 0;

	if (path->has_mount) {
		uint64_t mount = request->slot->notification.data.args[3];
		there[count] = (struct iovec){(void *)(uintptr_t)mount, path->mount_size};
		here[count++] = (struct iovec){(void *)&path->mount, path->mount_size};
	}
	if (path->has_reply && path->data_size > 0 &&
		(request->result >= 0 || path->reply_on_error)) {
		there[count] = (struct iovec){(void *)(uintptr_t)path->reply, path->data_size};
		here[count++] = (struct iovec){path->data, path->data_size};
	}
	return count;
}

void act_give_back(const struct broker *broker, struct request *request)
{
	struct iovec there[2], here[2];
	size_t count = collect_parts(request, there, here);

	/* The number of who has died may be that of a process outside by now. */
	if (count == 0 || !notify_is_pending(broker->listener, request->id)) {
		return;
	}
	int error = target_write_parts(request->tid, there, here, count);
	if (error < 0) {
		request->result = error;
	}
}

/*
 * The object, where the caller's ids do not let us to it. By a name that nobody has looked at it
 * may be the caller's own entry in /proc: the long way knows.
 */
static int pin_own(const struct broker *broker, struct request *request, int *object)
{
	const struct place *place = &request->place;

	if (request->identity == &broker->identity || place->kind != PLACE_NAME) {
		return -EACCES;
	}
	if (place->provisional) {
		return PIN_LINK_MET;
	}
	int fd = procfs_open_own(
		broker, request, place->directory, place->name, O_PATH | O_NOFOLLOW);
	*object = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

static int pin(const struct broker *broker, struct request *request, int *object)
{
	int error = pin_object(broker->seen, &request->place, request->path.follow, object);

	return error == -EACCES ? pin_own(broker, request, object) : error;
}

/*
 * Of its own entries a process may read the links, its descriptors are all its own to use, and what
 * is said of them is its own to read: the kernel asks who asks, and not by which ids.
 */
static bool may_as_own(const struct broker *broker, const struct request *request, int object)
{
	const char *path = request->place.path;
	bool only_reads = !(request->slot->notification.data.args[request->path.call->path + 1] &
			    (W_OK | X_OK));

	if (request->identity == &broker->identity || !procfs_is(object)) {
		return false;
	}
	switch (request->path.call->act) {
	case PATH_READLINK:
		return name_is_below(path, "/proc/self");
	case PATH_ACCESS:
		return procfs_is_own_table(path) ||
		       (only_reads && name_is_below(path, "/proc/self/fdinfo"));
	default:
		return false;
	}
}

static int act_on_pinned(const struct broker *broker, struct request *request, int object)
{
	size_t room = request->path.data_size;
	int result = act_on_object(broker, request, object);

	if (result == -EACCES && may_as_own(broker, request, object)) {
		request->path.data_size = room;
		assume_broker(broker, request);
		result = act_on_object(broker, request, object);
		assume_target(broker, request);
	}
	return result;
}

/* 0 or more, PIN_LINK_MET in `*link_met`, or a negative errno. */
static int act_on_place(const struct broker *broker, struct request *request, bool *link_met)
{
	cleanup_fd int object = -1;

	if (request->path.is_descriptor && request->path.late_error == 0) {
		return act_on_object(broker, request, request->place.start);
	}
	int error = request->path.is_descriptor ? request->path.late_error
						: pin(broker, request, &object);
	if (error == PIN_LINK_MET) {
		*link_met = true;
		return 0;
	}
	if (error == 0) {
		error = request->path.late_error;
	}
	return error < 0 ? error : act_on_pinned(broker, request, object);
}

/* A denial of a name that nobody has looked at yet is one only if it has no link in it. */
static bool denial_stands(
	const struct broker *broker, const struct request *request, const struct place *place)
{
	return !place->provisional || place->kind != PLACE_NAME ||
	       pin_leads_straight(broker->seen, place, request->path.follow);
}

static enum act_outcome finish(struct request *request, int result)
{
	request->result = result;
	return ACT_DONE;
}

/* What link(2) is made to is looked for before where, and both of a rename are. */
static int place_error(const struct request *request)
{
	const struct place *first = &request->place;
	struct stat st;

	if (!first->error && request->path.call->act == PATH_LINK && first->kind == PLACE_NAME &&
		!request->path.is_descriptor &&
		fstatat(first->directory, first->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return -errno;
	}
	return -(first->error ? first->error : request->second.error);
}

/*
 * Is nothing changed? Then it may as well be done for a caller that has gone: what was seen is
 * given to nobody else (act_give_back()).
 */
static bool only_looks(enum path_act act)
{
	switch (act) {
	case PATH_STATFS:
	case PATH_STAT:
	case PATH_STATX:
	case PATH_ACCESS:
	case PATH_READLINK:
	case PATH_GETXATTR:
	case PATH_LISTXATTR:
	case PATH_CHDIR:
		return true;
	default:
		return false;
	}
}

enum act_outcome act_path(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	bool link_met = false;
	bool of_entry = is_of_entry(request->path.call->act);

	(void)worker;
	if (request->verdict.action == POLICY_DENY) {
		bool stands = denial_stands(broker, request, &request->place) &&
			      (request->path.call->path_second == NO_ARGUMENT ||
				      denial_stands(broker, request, &request->second));
		return stands ? finish(request, -request->verdict.error) : ACT_TAKE_LONG_WAY;
	}
	if (request->place.error || request->second.error) {
		return finish(request, place_error(request));
	}
	if (!only_looks(request->path.call->act) &&
		!notify_is_pending(broker->listener, request->id)) {
		return ACT_GONE;
	}
	int result =
		of_entry ? act_on_entry(broker, request) : act_on_place(broker, request, &link_met);
	if (link_met || (of_entry && result == PIN_LINK_MET)) {
		return ACT_TAKE_LONG_WAY;
	}
	/* Nothing but where it leads was asked about, and that is looked at again when it is used.
	 */
	if (request->path.call->act == PATH_CHDIR && result >= 0) {
		return ACT_CONTINUE;
	}
	return finish(request, result);
}
