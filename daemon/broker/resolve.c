/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/mounts.h"
#include "daemon/broker/names.h"
#include "daemon/broker/procfs.h"
#include "daemon/broker/request.h"
#include "daemon/broker/seen.h"
#include "daemon/broker/walk.h"

#define MEMORY_MAJOR  1 /* /dev/null and its kin: they never wait */
#define TTY_AUX_MAJOR 5

static void release(struct place *place)
{
	if (place->directory_owned) {
		close(place->directory);
	}
	place->directory = -1;
	place->directory_owned = false;
	close_fd(&place->object);
}

void resolve_release(struct request *request)
{
	release(&request->place);
	release(&request->second);
}

void resolve_note_kind(struct place *place, const struct stat *st)
{
	bool device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);

	place->is_tty_alias = S_ISCHR(st->st_mode) && st->st_rdev == makedev(TTY_AUX_MAJOR, 0);
	place->may_wait = S_ISFIFO(st->st_mode) || (device && major(st->st_rdev) != MEMORY_MAJOR);
}

/* An object of a memory filesystem without a name: whoever reaches it by /proc/PID/fd holds it
 * already. */
static bool is_nameless(int object, const char *kernels_word)
{
	struct stat st;

	return kernels_word[0] != '/' || (strncmp(kernels_word, "/memfd:", 7) == 0 &&
						 fstat(object, &st) == 0 && st.st_nlink == 0);
}

/* An answer of mounts.h. */
static int take_answer(struct place *place, int answer)
{
	if (answer < 0) {
		return answer;
	}
	place->nameless = answer == MOUNTS_PRIVATE;
	place->unknown = answer == MOUNTS_UNKNOWN;
	return 0;
}

static bool leads_to(const char *path, int object)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_NO_SYMLINKS};
	cleanup_fd int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	struct stat there, here;

	return fd >= 0 && fstat(fd, &there) == 0 && fstat(object, &here) == 0 &&
	       there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

/*
 * What has lost its name is judged by the one that it had, so that nobody gets at it by removing
 * it. The kernel's word for that may stand at the end of a name, too.
 */
static void restore_name(int object, char *path)
{
	static const char lost[] = " (deleted)";
	size_t length = strlen(path), more = sizeof(lost) - 1;

	if (length > more + 1 && strcmp(path + length - more, lost) == 0 &&
		!leads_to(path, object)) {
		path[length - more] = '\0';
	}
}

static int name_object(const struct broker *broker, struct request *request, struct place *place)
{
	int error = name_of_fd(broker, place->object, place->path, sizeof(place->path));

	if (error < 0 && error != -ENOENT) {
		return error;
	}
	place->nameless = is_nameless(place->object, place->path);
	if (place->nameless) {
		return 0;
	}
	restore_name(place->object, place->path);
	if (mounts_is_foreign(broker, place->object) && !procfs_is(place->object)) {
		return take_answer(place, mounts_name(broker, request, place->object, place->path,
						  sizeof(place->path)));
	}
	return procfs_judge_object(broker, request, place->object, place->path);
}

/*
 * In a mount namespace of the target's own. What leads nowhere is told by where the way ended; a
 * name beyond that is only text.
 */
static int name_foreign(const struct broker *broker, struct request *request, struct place *place)
{
	char *path = place->path, entry[NAME_ROOM];
	size_t capacity = sizeof(place->path);
	int error = name_of_fd(broker, place->directory, path, capacity);

	if (error < 0) { /* a start that has no path, such as a pipe: nothing is below it */
		return place->error ? -place->error : error;
	}
	memcpy(entry, place->name, strlen(place->name) + 1);
	name_trim(entry);
	/* What something is mounted on is nobody's to act on; only its name is asked about. */
	if (place->error == 0 && !place->is_mount_point && !name_is_no_entry(entry)) {
		return take_answer(place, mounts_name_entry(broker, request, place->directory,
						  entry, path, capacity));
	}
	error = take_answer(place, mounts_name(broker, request, place->directory, path, capacity));
	if (error == 0 && strcmp(entry, ".") != 0) {
		error = name_append(path, capacity, place->name);
		name_normalise(path);
	}
	return error;
}

/* Tells the policy's name of a place that the long way has found. */
static int name_place(const struct broker *broker, struct request *request, struct place *place)
{
	if (place->kind == PLACE_OBJECT) {
		return name_object(broker, request, place);
	}
	place->is_bound = mounts_is_foreign(broker, place->directory);
	if (place->is_bound && !procfs_is(place->directory)) {
		return name_foreign(broker, request, place);
	}
	int error = name_of_fd(broker, place->directory, place->path, sizeof(place->path));
	if (error == 0 && strcmp(place->name, ".") != 0) {
		error = name_append(place->path, sizeof(place->path), place->name);
	}
	if (error < 0) {
		/* A start that has no path, such as a pipe: nothing is below it. */
		return place->error ? -place->error : error;
	}
	if (place->error || name_is_dots(place->name)) {
		name_normalise(place->path);
	}
	name_trim(place->path);
	return procfs_judge(broker, request, place->directory, place->path);
}

/*
 * The name as text, from the session's root; what is given to the kernel is `place->name` below
 * `place->directory`. False if only the long way can tell.
 */
static bool clean_name(const struct broker *broker, struct place *place, const char *path)
{
	if (!name_clean(place->name_room, sizeof(place->name_room), path)) {
		return false;
	}
	bool absolute = path[0] == '/';
	int base = absolute ? place->root : place->start;
	place->directory = base >= 0 ? base : AT_FDCWD;
	place->name = place->name_room;
	if (base < 0) {
		memcpy(place->path, place->name_room, strlen(place->name_room) + 1);
	} else {
		place->name += absolute;
		if (place->name[0] == '\0' || mounts_is_foreign(broker, base) ||
			name_of_fd(broker, base, place->path, sizeof(place->path)) < 0 ||
			name_append(place->path, sizeof(place->path), place->name) < 0) {
			return false;
		}
	}
	name_trim(place->path);
	return true;
}

bool resolve_look(struct place *place)
{
	struct stat st;

	if (fstatat(place->directory, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return true; /* the open itself will tell */
	}
	resolve_note_kind(place, &st);
	place->on_virtual_device = major(st.st_dev) == 0;
	return !S_ISLNK(st.st_mode) && !place->is_tty_alias;
}

static bool resolve_fast(
	const struct broker *broker, const char *path, const struct walk_options *options)
{
	struct place *place = options->place;

	if (options->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) {
		return false;
	}
	if (broker->root_name[0] && path[0] == '/' && place->root < 0) {
		return false;
	}
	place->provisional = true;
	if (!clean_name(broker, place, path) || place->path[1] == '\0' ||
		name_is_below(place->path, "/proc")) {
		return false;
	}
	/* The middle way is the faster one then, and it is not for all. */
	place->seen = seen_ask(broker->seen, place);
	return !options->follow_last || options->creates || place->seen != SEEN_LINK;
}

/* For the middle ways: of what kind is what was opened? False: only the long way can tell. */
static bool is_ordinary(struct place *place, int object)
{
	struct stat st;

	if (object < 0 || fstat(object, &st) < 0 || (major(st.st_dev) == 0 && procfs_is(object))) {
		return false;
	}
	resolve_note_kind(place, &st);
	return !place->is_tty_alias;
}

/* Can the kernel walk for us, as the target would have it? */
static bool walks_like_target(const struct broker *broker, const struct walk_options *options)
{
	return options->follow_last && !options->creates && !options->resolve &&
	       options->place->root < 0 && !broker->root_name[0];
}

/*
 * The middle way for a clean name: where the kernel meets no link this is the object's own name,
 * and it need not be asked for. False: go on as if nobody had tried.
 */
static bool resolve_straight(
	const struct broker *broker, const char *path, const struct walk_options *options)
{
	struct place *place = options->place;
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};

	if (path[0] != '/' || !walks_like_target(broker, options) ||
		!clean_name(broker, place, path) || name_is_below(place->path, "/proc") ||
		seen_ask(broker->seen, place) == SEEN_LINK) {
		return false;
	}
	cleanup_fd int object = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	if (object < 0 && errno == ELOOP) {
		seen_note_link(broker->seen, place);
	}
	if (!is_ordinary(place, object)) {
		return false;
	}
	place->kind = PLACE_OBJECT;
	place->object = steal_fd(&object);
	return true;
}

/*
 * The middle way, for names with ordinary links in them: the kernel walks for us, as the target
 * would have it (same root, its ids), to an object that stays pinned, and its name is then told
 * from the object. What would differ between the target and us is left to the long way: magic links
 * (refused here), all of procfs (its links mean us), other roots, what is not to be followed or is
 * to be created, and every error. False: take the long way.
 */
static bool resolve_pinned(
	const struct broker *broker, const char *path, const struct walk_options *options)
{
	struct place *place = options->place;
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};

	if (!walks_like_target(broker, options)) {
		return false;
	}
	int base = path[0] == '/' || place->start < 0 ? AT_FDCWD : place->start;
	cleanup_fd int object = (int)syscall(SYS_openat2, base, path, &how, sizeof(how));
	if (!is_ordinary(place, object) ||
		name_of_fd(broker, object, place->path, sizeof(place->path)) < 0) {
		return false;
	}
	place->nameless = is_nameless(object, place->path);
	restore_name(object, place->path);
	place->kind = PLACE_OBJECT;
	place->object = steal_fd(&object);
	return true;
}

static void clear(struct place *place)
{
	place->kind = PLACE_NAME;
	place->seen = SEEN_NOT;
	place->error = 0;
	place->may_wait = place->is_tty_alias = place->nameless = place->unlooked = false;
	place->on_virtual_device = place->unknown = place->is_bound = place->is_mount_point = false;
}

int resolve_place(const struct broker *broker, struct request *request, const char *path,
	const struct walk_options *options, enum resolve_way way)
{
	struct place *place = options->place;

	clear(place);
	/* Of an entry elsewhere only the walk sees whether something is mounted on it. */
	if (way == RESOLVE_FAST_IF_POSSIBLE &&
		!(broker->is_elsewhere && options->never_follow_last) &&
		resolve_fast(broker, path, options)) {
		return 0;
	}
	place->provisional = false;
	bool pinned = way == RESOLVE_TO_OBJECT && resolve_straight(broker, path, options);
	place->directory = -1;
	if (pinned || resolve_pinned(broker, path, options)) {
		return 0;
	}
	clear(place);
	int error = walk(broker, request, path, options);
	return error < 0 ? error : name_place(broker, request, place);
}

int resolve(const struct broker *broker, struct request *request, const char *path, uint64_t flags,
	uint64_t resolve_flags, enum resolve_way way)
{
	bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	struct walk_options options = {.place = &request->place,
		.follow_last = !(flags & O_NOFOLLOW) && !exclusive,
		.creates = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)),
		.resolve = resolve_flags};

	return resolve_place(broker, request, path, &options, way);
}

int resolve_descriptor(const struct broker *broker, struct request *request)
{
	struct place *place = &request->place;

	clear(place);
	place->kind = PLACE_OBJECT;
	place->provisional = false;
	place->object = fcntl(place->start, F_DUPFD_CLOEXEC, 0);
	return place->object < 0 ? -errno : name_object(broker, request, place);
}
