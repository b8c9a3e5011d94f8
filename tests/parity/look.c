/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/parity/look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

#define ENTRIES_MAX 96
#define NAME_LENGTH 300
/* When everything in a new tree was written, as it says. */
#define LONG_AGO 1000000000

struct entry {
	char path[NAME_LENGTH]; /* below the root */
	struct stat st;
};

/* In the order of a walk that takes names by the alphabet; the root comes first, as ".". */
struct view {
	struct entry entries[ENTRIES_MAX];
	size_t count;
};

static char present[PATH_MAX]; /* the root that is looked at */
static struct view before, after;

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Looks at `path`, a name below the working directory; false if nobody can or there is no room. */
static bool add(struct view *view, const char *directory, const char *name)
{
	struct entry *entry = &view->entries[view->count];
	int length;

	if (view->count == ENTRIES_MAX) {
		return false;
	}
	length = snprintf(entry->path, sizeof(entry->path), "%s%s%s", directory,
		directory[0] ? "/" : "", name);
	if (length >= (int)sizeof(entry->path) || lstat(entry->path, &entry->st)) {
		return false;
	}
	view->count++;
	return true;
}

static void add_below(struct view *view, const char *directory)
{
	struct dirent **names;
	int count = scandir(directory[0] ? directory : ".", &names, not_dots, alphasort);

	for (int i = 0; i < count; i++) {
		if (add(view, directory, names[i]->d_name)) {
			const struct entry *entry = &view->entries[view->count - 1];

			if (S_ISDIR(entry->st.st_mode)) {
				add_below(view, entry->path);
			}
		}
		free(names[i]);
	}
	if (count >= 0) {
		free(names);
	}
}

/* Not by the root's whole name each time: there are many names, and it is long. */
static int look(struct view *view)
{
	view->count = 0;
	if (chdir(present)) {
		return -errno;
	}
	add(view, "", ".");
	add_below(view, "");
	return 0;
}

/*
 * Whether a change of a file that was looked at always gives it a new time (Linux 6.13 and later,
 * on most file systems).
 */
static bool are_times_exact(void)
{
	struct stat one, other;

	for (int i = 0; i < 4; i++) {
		if (stat(present, &one) || chmod(present, one.st_mode & 07777) ||
			stat(present, &other) ||
			(one.st_ctim.tv_sec == other.st_ctim.tv_sec &&
				one.st_ctim.tv_nsec == other.st_ctim.tv_nsec)) {
			return false;
		}
	}
	return true;
}

static bool is_later(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec > other->tv_sec ||
	       (one->tv_sec == other->tv_sec && one->tv_nsec > other->tv_nsec);
}

static bool has_clock_moved(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	for (size_t i = 0; i < before.count; i++) {
		if (!is_later(&now, &before.entries[i].st.st_ctim)) {
			return false;
		}
	}
	return true;
}

static bool has_exact_times;

static void await_clock(void)
{
	const struct timespec pause = {.tv_nsec = 500000};

	while (!has_exact_times && !has_clock_moved()) {
		nanosleep(&pause, NULL);
	}
}

void look_make_old(const char *root)
{
	const struct timespec times[2] = {{.tv_sec = LONG_AGO}, {.tv_sec = LONG_AGO}};

	static bool is_first = true;

	snprintf(present, sizeof(present), "%s", root);
	if (is_first) { /* all trees lie in one file system */
		has_exact_times = are_times_exact();
		is_first = false;
	}
	if (look(&before) == 0) {
		for (size_t i = 0; i < before.count; i++) {
			utimensat(AT_FDCWD, before.entries[i].path, times, AT_SYMLINK_NOFOLLOW);
		}
	}
}

int look_remember(const char *root)
{
	int error;

	snprintf(present, sizeof(present), "%s", root);
	error = look(&before);
	await_clock();
	return error;
}

static const struct entry *find(const struct view *view, const char *path)
{
	for (size_t i = 0; i < view->count; i++) {
		if (!strcmp(view->entries[i].path, path)) {
			return &view->entries[i];
		}
	}
	return NULL;
}

static bool same_time(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

static bool tell_entry(
	struct observation *observation, const struct entry *now, const struct entry *then)
{
	bool written, changed;

	if (!then) {
		observe(observation, " new");
		observe_path(observation, now->path);
		return true;
	}
	written = !same_time(&now->st.st_mtim, &then->st.st_mtim);
	changed = !same_time(&now->st.st_ctim, &then->st.st_ctim);
	if (!written && !changed && now->st.st_mode == then->st.st_mode &&
		now->st.st_ino == then->st.st_ino && now->st.st_nlink == then->st.st_nlink) {
		return false;
	}
	observe_path(observation, now->path);
	if (now->st.st_ino != then->st.st_ino) {
		observe(observation, "i"); /* another file, whose times are its own */
	} else {
		observe(observation, "%s", written ? "m" : changed ? "c" : "");
	}
	return true;
}

int look_tell(struct observation *observation)
{
	int error = look(&after);
	bool any = false;

	if (error < 0) {
		return error;
	}
	for (size_t i = 0; i < before.count; i++) {
		if (!find(&after, before.entries[i].path)) {
			observe(observation, " gone[%s]", before.entries[i].path);
			any = true;
		}
	}
	for (size_t i = 0; i < after.count; i++) {
		const struct entry *now = &after.entries[i];

		any |= tell_entry(observation, now, find(&before, now->path));
	}
	return any;
}
