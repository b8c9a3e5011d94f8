/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/act.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/creation_mask.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/pin.h"
#include "daemon/broker/procfs.h"
#include "daemon/broker/recover.h"
#include "daemon/broker/request.h"
#include "daemon/broker/resolve.h"
#include "daemon/broker/seen.h"
#include "daemon/broker/target.h"
#include "daemon/broker/target_fd.h"
#include "daemon/broker/workers.h"

/* Once a component is replaced by a link in a race; whoever goes on with that gets the kernel's
 * answer. */
#define KEPT_RESOLVE_FLAGS (RESOLVE_NO_XDEV | RESOLVE_CACHED)
#define CREATING_FLAGS     (O_CREAT | O_EXCL)

static int open_how(int directory, const char *name, const struct open_how *how)
{
	int fd = (int)syscall(SYS_openat2, directory, name, how, sizeof(*how));

	return fd < 0 ? -errno : fd;
}

static bool is_exclusive(const struct request *request)
{
	return (request->open.how.flags & CREATING_FLAGS) == CREATING_FLAGS;
}

/* Is a link in the last component followed? */
static bool follows_links(const struct request *request)
{
	uint64_t flags = request->open.how.flags;

	return !(flags & O_NOFOLLOW) && !is_exclusive(request);
}

bool act_needs_long_way(const struct broker *broker, const struct request *request)
{
	const struct place *place = &request->place;

	return request->call == CALL_OPEN && place->provisional &&
	       !pin_leads_straight(broker->seen, place, follows_links(request));
}

/*
 * A full table of descriptors must be noticed before the file is made or emptied, as the kernel
 * would.
 */
static int prepare_change(const struct broker *broker, const struct request *request)
{
	bool creates = request->open.operations & OPERATION_CREATE;
	int error = creates ? creation_mask_take(broker, request->tid) : 0;
	struct rlimit limit;

	if (error == 0 && prlimit(request->tid, RLIMIT_NOFILE, NULL, &limit) == 0 &&
		target_has_full_table(request->tid, limit.rlim_cur)) {
		error = -EMFILE;
	}
	return error;
}

static int open_terminal(const struct request *request, const struct open_how *how)
{
	char theirs[64], ours[64];
	int error = target_terminal(request->tid, theirs, sizeof(theirs));

	if (error < 0) {
		return error;
	}
	if (target_terminal(getpid(), ours, sizeof(ours)) == 0 && strcmp(ours, theirs) == 0) {
		return open_how(request->place.directory, request->place.name, how);
	}
	return open_how(AT_FDCWD, theirs, how);
}

/* A pinned object is opened again through our own descriptor of it. */
static int open_object(const struct broker *broker, int object, struct open_how how)
{
	char link[32];
	struct stat st;

	/* Before the kernel asks whether it may be opened. */
	if ((how.flags & O_CREAT) && fstat(object, &st) == 0 && S_ISDIR(st.st_mode)) {
		return -EISDIR;
	}
	(void)snprintf(link, sizeof(link), "%d", object);
	how.flags &= ~(uint64_t)(CREATING_FLAGS | O_NOFOLLOW);
	how.mode = 0;
	how.resolve = 0;
	return open_how(broker->proc_fds, link, &how);
}

static int open_injected(const struct request *request, struct open_how how)
{
	how.flags &= ~(uint64_t)(CREATING_FLAGS | O_NOFOLLOW);
	how.mode = 0;
	how.resolve = 0;
	return open_how(AT_FDCWD, policy_inject_path(&request->verdict), &how);
}

/* What must not exist, and may not be created: looked at, but not touched. */
static int look_for(const struct place *place)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_NO_SYMLINKS};
	cleanup_fd int fd =
		place->kind == PLACE_NAME ? open_how(place->directory, place->name, &how) : -EEXIST;

	return fd >= 0 ? -EEXIST : fd;
}

static int open_as_decided(const struct broker *broker, struct request *request)
{
	const struct place *place = &request->place;
	struct open_how how = request->open.how;

	/* Ours are never inherited, and no terminal may become the broker's. */
	how.flags |= O_CLOEXEC | O_NOCTTY;
	how.resolve = (how.resolve & KEPT_RESOLVE_FLAGS) | RESOLVE_NO_SYMLINKS |
		      (place->is_bound || place->unlooked ? RESOLVE_NO_XDEV : 0);
	if (request->open.only_existing && is_exclusive(request)) {
		return look_for(place);
	}
	if (request->open.only_existing || request->open.made_before) {
		how.flags &= ~(uint64_t)CREATING_FLAGS;
		how.mode = 0;
	}
	if (request->verdict.action == POLICY_INJECT) {
		return open_injected(request, how);
	}
	if (place->is_mount_point && is_exclusive(request)) {
		return -EEXIST;
	}
	if (place->kind == PLACE_OBJECT) {
		return open_object(broker, place->object, how);
	}
	if (place->is_tty_alias) {
		return open_terminal(request, &how);
	}
	int fd = open_how(place->directory, place->name, &how);
	return fd == -EACCES && !place->provisional
		       ? procfs_open_own(
				 broker, request, place->directory, place->name, (int)how.flags)
		       : fd;
}

/* What was opened without the flags that would have made the kernel refuse a directory. */
static int refuse_directory(int fd)
{
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return -EISDIR;
	}
	return fd;
}

/* One attempt at the real thing. */
static int open_place(const struct broker *broker, struct request *request)
{
	int fd = open_as_decided(broker, request);
	bool lost_flags = request->open.only_existing || request->place.kind == PLACE_OBJECT;

	return lost_flags && (request->open.how.flags & O_CREAT) ? refuse_directory(fd) : fd;
}

/* What was not looked at lies in another mount, or is the terminal's alias (or says so itself). */
static bool is_refuted(const struct place *place, int result)
{
	return place->unlooked && (result == -EXDEV || result == -ENXIO);
}

/* What the attempt means: a link where none was expected, an interruption, an answer. */
static enum act_outcome judge_attempt(
	const struct broker *broker, struct worker *worker, struct request *request, int result)
{
	const struct place *place = &request->place;

	if (result == -EINTR) {
		return act_interrupted(worker);
	}
	if (is_refuted(place, result)) {
		seen_refute(broker->seen, place);
		return ACT_TAKE_LONG_WAY;
	}
	if (place->provisional && request->verdict.action != POLICY_INJECT) {
		if (result == -ELOOP) {
			seen_note_link(broker->seen, place);
			return ACT_TAKE_LONG_WAY;
		}
		/* A procfs somewhere else than at /proc: the long way knows whose entry this is. */
		if (result >= 0 && place->on_virtual_device && procfs_is(result)) {
			close(result);
			return ACT_TAKE_LONG_WAY;
		}
	}
	/* Another mount has come over it. */
	if (result == -EXDEV && place->is_bound && !(request->open.how.resolve & RESOLVE_NO_XDEV)) {
		return ACT_TAKE_LONG_WAY;
	}
	/* The last component was no link when we walked: somebody has put one there since. */
	if (result == -ELOOP && place->kind == PLACE_NAME && follows_links(request)) {
		return ACT_TAKE_LONG_WAY;
	}
	if (request->open.only_existing && result == -ENOENT) {
		request->verdict = request->open.verdict_if_missing;
		result = -request->verdict.error;
	}
	request->result = result;
	return ACT_DONE;
}

/*
 * A broker that died may have made the file that must not exist: then it is there since, and is
 * opened. Where the filesystem does not tell, EINTR is what open(2) may always return.
 */
static int note_exclusive(struct request *request)
{
	const struct place *place = &request->place;
	struct stat st;

	if (!is_exclusive(request)) {
		return 0;
	}
	if (recover_is_repeated(request) &&
		fstatat(place->directory, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		request->open.made_before = st.st_size == 0 &&
					    st.st_uid == request->identity->uid &&
					    recover_is_new(request, place->directory, place->name);
	}
	recover_note(request);
	return 0;
}

static bool has_side_effects(const struct request *request)
{
	return request->place.may_wait || request->open.operations != OPERATION_READ;
}

/*
 * O_PATH cannot be handed over: ADDFD refuses it. So it is looked where the name leads, and the
 * kernel opens it; whoever swaps the name in between has a descriptor that lets him do nothing
 * without being asked again.
 */
static enum act_outcome act_look(const struct broker *broker, struct request *request)
{
	cleanup_fd int object = -1;
	int error = pin_object(broker->seen, &request->place, follows_links(request), &object);

	if (error == PIN_LINK_MET) {
		return ACT_TAKE_LONG_WAY;
	}
	request->result = error;
	return error < 0 ? ACT_DONE : ACT_CONTINUE;
}

/*
 * Before a provisional name is opened: what may wait must not be opened by the thread that leads.
 * Names that were seen before need no look, but by a helper, which must not wait at all. False:
 * only the long way can tell.
 */
static bool look(const struct broker *broker, struct request *request)
{
	struct place *place = &request->place;

	if (request->open.how.resolve == 0 && !request->joined && place->seen == SEEN_PLAIN) {
		place->unlooked = true;
		return true;
	}
	bool is_simple = resolve_look(place);
	if (is_simple) {
		seen_note(broker->seen, place);
	} else if (!place->is_tty_alias) {
		seen_note_link(broker->seen, place);
	}
	return is_simple;
}

enum act_outcome act_open(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	const struct place *place = &request->place;
	uint64_t flags = request->open.how.flags;

	if (request->verdict.action != POLICY_ALLOW && act_needs_long_way(broker, request)) {
		return ACT_TAKE_LONG_WAY;
	}
	if (request->verdict.action == POLICY_DENY) {
		request->result = -request->verdict.error;
		return ACT_DONE;
	}
	if (place->error) {
		request->result = -place->error;
		return ACT_DONE;
	}
	if (flags & O_PATH) {
		return act_look(broker, request);
	}
	if (place->provisional && request->verdict.action == POLICY_ALLOW &&
		!look(broker, request)) {
		return ACT_TAKE_LONG_WAY;
	}
	if ((request->open.operations & OPERATION_CREATE) || (flags & O_TRUNC)) {
		request->result = prepare_change(broker, request);
		if (request->result < 0) {
			return ACT_DONE;
		}
	}
	if (has_side_effects(request) && !notify_is_pending(broker->listener, request->id)) {
		return ACT_GONE;
	}
	bool waits = place->may_wait && !(flags & O_NONBLOCK);
	request->result = note_exclusive(request);
	if (request->result == 0 && waits && request->joined) {
		request->result = -EACCES; /* a helper must not wait: nobody could wake it */
	} else if (request->result == 0 && waits) {
		request->result = workers_expect_to_wait(worker);
	}
	if (request->result < 0) {
		return ACT_DONE;
	}
	int result;
	do {
		result = open_place(broker, request);
	} while (result == -EINTR && workers_interruption(worker) == INTERRUPTED_NOT);
	if (place->unlooked && workers_waits(worker)) {
		seen_refute(broker->seen, place);
	}
	return judge_attempt(broker, worker, request, result);
}
