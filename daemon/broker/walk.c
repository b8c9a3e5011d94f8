/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/mounts.h"
#include "daemon/broker/names.h"
#include "daemon/broker/procfs.h"
#include "daemon/broker/request.h"
#include "daemon/broker/resolve.h"

#define LINKS_MAX 40 /* MAXSYMLINKS of the kernel */
#ifndef ST_NOSYMFOLLOW
#define ST_NOSYMFOLLOW 0x2000
#endif

struct walk {
	const struct broker *broker;
	struct request *request;
	const struct walk_options *options;
	int root; /* of absolute names; not ours */
	int at;   /* where we are */
	bool at_owned;
	bool root_is_set; /* as nd->root of the kernel: see jump_to_root() */
	unsigned int links;
	char rest[NAME_ROOM]; /* what is still to be walked */
};

/* One component, cut out of `rest`. */
struct component {
	char name[NAME_MAX + 1];
	const char *behind; /* the slashes and what follows */
	bool last;
	bool slash_behind;
};

static void stand_at(struct walk *w, int fd, bool owned)
{
	if (w->at_owned) {
		close(w->at);
	}
	w->at = fd;
	w->at_owned = owned;
}

static int open_component(const struct walk *w, const char *name, uint64_t flags)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags,
		.resolve = w->options->resolve & RESOLVE_NO_XDEV};
	int fd = (int)syscall(SYS_openat2, w->at, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static bool same_place(int a, int b)
{
	struct statx x, y;

	return statx(a, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &x) == 0 &&
	       statx(b, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &y) == 0 &&
	       x.stx_ino == y.stx_ino && x.stx_mnt_id == y.stx_mnt_id &&
	       x.stx_dev_major == y.stx_dev_major && x.stx_dev_minor == y.stx_dev_minor;
}

/* 0, 1 if there is no component left, or a negative errno. */
static int next_component(struct walk *w, struct component *component)
{
	const char *begin = w->rest + strspn(w->rest, "/");
	size_t length = strcspn(begin, "/");

	if (length == 0) {
		return 1;
	}
	if (length > NAME_MAX) {
		return -ENAMETOOLONG;
	}
	memcpy(component->name, begin, length);
	component->name[length] = '\0';
	component->behind = begin + length;
	component->slash_behind = begin[length] == '/';
	component->last = begin[length + strspn(begin + length, "/")] == '\0';
	return 0;
}

/* Puts a link's text in the place of the component that it was. */
static int splice_text(struct walk *w, const char *text, const char *behind)
{
	char spliced[NAME_ROOM];
	size_t text_length = strlen(text);
	size_t behind_length = strlen(behind);

	if (text_length == 0) {
		return -ENOENT;
	}
	if (text_length + behind_length + 1 > sizeof(spliced)) {
		return -ENAMETOOLONG;
	}
	memcpy(spliced, text, text_length);
	memcpy(spliced + text_length, behind, behind_length + 1);
	memcpy(w->rest, spliced, text_length + behind_length + 1);
	return 0;
}

/* An absolute name or link: back to the root, as nd_jump_root() of the kernel. */
static int jump_to_root(struct walk *w)
{
	uint64_t resolve = w->options->resolve;

	if (resolve & RESOLVE_BENEATH) {
		return -EXDEV;
	}
	/* Until it has met its root once the kernel takes every jump to it for another mount. */
	if ((resolve & RESOLVE_NO_XDEV) && !w->root_is_set) {
		return -EXDEV;
	}
	if (resolve & RESOLVE_NO_XDEV) {
		struct statx here, there;
		if (statx(w->at, "", AT_EMPTY_PATH, STATX_MNT_ID, &here) < 0 ||
			statx(w->root, "", AT_EMPTY_PATH, STATX_MNT_ID, &there) < 0 ||
			here.stx_mnt_id != there.stx_mnt_id) {
			return -EXDEV;
		}
	}
	stand_at(w, w->root, false);
	return 0;
}

static int step_up(struct walk *w)
{
	w->root_is_set = true;
	if (same_place(w->at, w->root)) {
		return w->options->resolve & RESOLVE_BENEATH ? -EXDEV : 0;
	}
	int up = open_component(w, "..", O_DIRECTORY);
	if (up < 0) {
		return up;
	}
	stand_at(w, up, true);
	return 0;
}

/* fs.protected_symlinks (proc(5)): in sticky directories of others only one's own links are
 * followed. */
static int may_follow(const struct walk *w, const struct stat *link)
{
	struct stat directory;

	if (!w->broker->protects_symlinks || link->st_uid == w->request->identity->uid ||
		fstat(w->at, &directory) < 0) {
		return 0;
	}
	bool shared = (directory.st_mode & (S_ISVTX | S_IWOTH)) == (S_ISVTX | S_IWOTH);
	return shared && directory.st_uid != link->st_uid ? -EACCES : 0;
}

static int check_link(const struct walk *w, int fd, const struct stat *st, bool last)
{
	struct statvfs filesystem;

	if (w->options->resolve & RESOLVE_NO_SYMLINKS) {
		return -ELOOP;
	}
	if (fstatvfs(fd, &filesystem) == 0 && (filesystem.f_flag & ST_NOSYMFOLLOW)) {
		return -ELOOP;
	}
	return last ? may_follow(w, st) : 0;
}

/* A magic link leads to an object, not to a name. 0: go on from it; 1: it was the last. */
static int follow_magic(struct walk *w, const struct component *component)
{
	struct place *place = w->options->place;
	struct stat st;

	if (w->options->resolve & RESOLVE_NO_MAGICLINKS) {
		return -ELOOP;
	}
	if (w->options->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) {
		return -EXDEV;
	}
	int object = procfs_follow(w->broker, w->request, w->at, component->name);
	if (object < 0) {
		return object;
	}
	bool is_directory = fstat(object, &st) == 0 && S_ISDIR(st.st_mode);
	if (is_directory && (!component->last || w->options->never_follow_last)) {
		(void)splice_text(w, ".", component->behind);
		stand_at(w, object, true);
		return 0;
	}
	if (!is_directory && (!component->last || component->slash_behind)) {
		close(object);
		return -ENOTDIR;
	}
	place->object = object;
	place->kind = PLACE_OBJECT;
	resolve_note_kind(place, &st);
	return 1;
}

/* `link` is the component's own inode. As follow_magic(). */
static int follow(
	struct walk *w, const struct component *component, int link, const struct stat *st)
{
	char text[PATH_MAX];
	int error = check_link(w, link, st, component->last);

	if (error < 0) {
		return error;
	}
	if (++w->links > LINKS_MAX) {
		return -ELOOP;
	}
	enum procfs_link kind = procfs_link_kind(
		w->broker, w->request, link, w->at, component->name, text, sizeof(text));
	if (kind == PROCFS_MAGIC) {
		return follow_magic(w, component);
	}
	if (kind == PROCFS_NO_LINK) {
		ssize_t length = readlinkat(link, "", text, sizeof(text) - 1);
		if (length < 0) {
			return -errno;
		}
		text[length] = '\0';
	}
	error = splice_text(w, text, component->behind);
	return error < 0 || w->rest[0] != '/' ? error : jump_to_root(w);
}

/* The walk is over: `name` below where we stand is the place. */
static int end_at(struct walk *w, const char *name)
{
	struct place *place = w->options->place;

	memcpy(place->name_room, name, strlen(name) + 1);
	place->name = place->name_room;
	place->kind = PLACE_NAME;
	place->directory = w->at;
	place->directory_owned = w->at_owned;
	w->at_owned = false;
	return 1;
}

static int arrive(struct walk *w, const char *name, bool slash_behind)
{
	size_t length = strlen(name);
	int result = end_at(w, name);

	if (slash_behind) {
		memcpy(w->options->place->name_room + length, "/", 2);
	}
	return result;
}

/* The name ends here with `error`; what it would have been is told all the same. */
static int lead_nowhere(struct walk *w, int error)
{
	w->options->place->error = -error;
	return end_at(w, w->rest);
}

/*
 * In a mount namespace of the target's own the last component may be what something is mounted on.
 * What is opened then is not the entry of its directory, and whoever acts on the entry is told.
 */
static bool is_foreign_mount(const struct walk *w, int fd)
{
	const struct broker *broker = w->broker;
	bool may_be = broker->is_elsewhere || broker_knows(broker, SESSION_MOUNTS_VARY);
	struct statx st;

	return may_be && statx(fd, "", AT_EMPTY_PATH, STATX_INO, &st) == 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) &&
	       (broker->is_elsewhere || mounts_is_foreign(broker, fd));
}

static int arrive_on_mount(
	struct walk *w, const struct component *component, int *fd, const struct stat *st)
{
	struct place *place = w->options->place;

	place->is_mount_point = true;
	if (w->options->never_follow_last) {
		return arrive(w, component->name, component->slash_behind);
	}
	if (component->slash_behind && !S_ISDIR(st->st_mode)) {
		return lead_nowhere(w, -ENOTDIR);
	}
	place->kind = PLACE_OBJECT;
	place->object = steal_fd(fd);
	return 1;
}

/* 0: go on; 1: arrived; or a negative errno. */
static int enter(struct walk *w, const struct component *component)
{
	struct stat st;
	cleanup_fd int fd = open_component(w, component->name, O_NOFOLLOW);

	if (fd == -EACCES) {
		fd = procfs_open_own(
			w->broker, w->request, w->at, component->name, O_PATH | O_NOFOLLOW);
	}
	if (fd < 0) {
		return component->last && fd == -ENOENT
			       ? arrive(w, component->name, component->slash_behind)
			       : lead_nowhere(w, fd);
	}
	if (fstat(fd, &st) < 0) {
		return -errno;
	}
	bool follows =
		!component->last || (!w->options->never_follow_last &&
					    (component->slash_behind || w->options->follow_last));
	if (S_ISLNK(st.st_mode) && follows) {
		return follow(w, component, fd, &st);
	}
	if (component->last) {
		resolve_note_kind(w->options->place, &st);
		if (is_foreign_mount(w, fd)) {
			return arrive_on_mount(w, component, &fd, &st);
		}
		return arrive(w, component->name, component->slash_behind);
	}
	if (!S_ISDIR(st.st_mode)) {
		return lead_nowhere(w, -ENOTDIR);
	}
	memmove(w->rest, component->behind, strlen(component->behind) + 1);
	stand_at(w, steal_fd(&fd), true);
	return 0;
}

static int step(struct walk *w)
{
	struct component component;
	int state = next_component(w, &component);

	if (state == 1) {
		return arrive(w, w->options->never_follow_last ? "/" : ".", false);
	}
	if (state < 0) {
		return lead_nowhere(w, state);
	}
	/* No call makes, removes or renames such an entry: each has its errno, which is the
	 * kernel's. */
	if (component.last && w->options->never_follow_last && name_is_dots(component.name)) {
		return arrive(w, component.name, component.slash_behind);
	}
	if (name_is_dots(component.name)) {
		int error = component.name[1] ? step_up(w) : 0;
		memmove(w->rest, component.behind, strlen(component.behind) + 1);
		return error;
	}
	return enter(w, &component);
}

static int begin(struct walk *w)
{
	struct stat st;

	if (w->rest[0] == '/') {
		w->root_is_set = true;
		return jump_to_root(w);
	}
	/* A name can be given relative to any descriptor, but only a directory has something below
	 * it. */
	return fstat(w->at, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int run(struct walk *w)
{
	int state = begin(w);

	while (state == 0) {
		state = step(w);
	}
	/* A link that may not be followed, or leads in a circle, is a name that leads nowhere. */
	if (state < 0 && w->at >= 0) {
		state = lead_nowhere(w, state);
	}
	if (w->at_owned) {
		close(w->at);
	}
	return state < 0 ? state : 0;
}

int walk(const struct broker *broker, struct request *request, const char *path,
	const struct walk_options *options)
{
	struct place *place = options->place;
	bool scoped = options->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT);
	struct walk w = {.broker = broker, .request = request, .options = options};

	w.root = scoped ? place->start : place->root >= 0 ? place->root : broker->root;
	w.at = place->start >= 0 ? place->start : w.root;
	w.root_is_set = scoped;
	memcpy(w.rest, path, strlen(path) + 1);
	return run(&w);
}
