/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/parity/stage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/tree.h"

/* When everything in a new tree was written, as it says. */
#define LONG_AGO 1000000000

/*
 * Whether a change of a file that was looked at always gives it a new time (Linux 6.13 and later,
 * on most file systems).
 */
static bool are_times_exact(const char *path)
{
	struct stat one, other;

	for (int i = 0; i < 4; i++) {
		if (stat(path, &one) || chmod(path, 0755) || stat(path, &other) ||
			(one.st_ctim.tv_sec == other.st_ctim.tv_sec &&
				one.st_ctim.tv_nsec == other.st_ctim.tv_nsec)) {
			return false;
		}
	}
	return true;
}

struct stage *stage_new(struct scene *scene)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	prepare(scene, stage != NULL);
	stage->scene = scene;
	stage->used = true;
	stage->is_exact = are_times_exact(scene->root);
	snprintf(stage->base, sizeof(stage->base), "%s", scene->root);
	return stage;
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/*
 * Everything below `directory`, a name relative to `root`, in the order of names. Not by the
 * working directory, which a call may have been given anywhere.
 */
static void look(
	struct stage_entry *entries, size_t *countp, const char *root, const char *directory)
{
	struct dirent **names;
	char path[PATH_MAX + STAGE_NAME_LENGTH + 2];
	int count;

	snprintf(path, sizeof(path), "%s/%s", root, directory);
	count = scandir(path, &names, not_dots, alphasort);
	for (int i = 0; i < count; i++) {
		struct stage_entry *entry = &entries[*countp];

		snprintf(path, sizeof(path), "%s/%s/%s", root, directory, names[i]->d_name);
		if (*countp < STAGE_ENTRIES &&
			snprintf(entry->path, sizeof(entry->path), "%s%s%s", directory,
				directory[0] ? "/" : "",
				names[i]->d_name) < (int)sizeof(entry->path) &&
			!lstat(path, &entry->st)) {
			(*countp)++;
			if (S_ISDIR(entry->st.st_mode)) {
				look(entries, countp, root, entry->path);
			}
		}
		free(names[i]);
	}
	if (count >= 0) {
		free(names);
	}
}

static size_t look_at_all(const struct stage *stage, struct stage_entry *entries)
{
	size_t count = 1;

	strcpy(entries[0].path, ".");
	if (lstat(stage->root, &entries[0].st)) {
		return 0;
	}
	look(entries, &count, stage->root, "");
	return count;
}

static void make_old(const struct stage *stage)
{
	const struct timespec times[2] = {{.tv_sec = LONG_AGO}, {.tv_sec = LONG_AGO}};
	static struct stage_entry entries[STAGE_ENTRIES];
	size_t count = look_at_all(stage, entries);

	for (size_t i = 0; i < count; i++) {
		utimensat(AT_FDCWD, entries[i].path, times, AT_SYMLINK_NOFOLLOW);
	}
}

static bool is_later(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec > other->tv_sec ||
	       (one->tv_sec == other->tv_sec && one->tv_nsec > other->tv_nsec);
}

static bool has_clock_moved(const struct stage *stage)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	for (size_t i = 0; i < stage->before_count; i++) {
		if (!is_later(&now, &stage->before[i].st.st_ctim)) {
			return false;
		}
	}
	return true;
}

void stage_remember(struct stage *stage)
{
	const struct timespec pause = {.tv_nsec = 500000};

	stage->before_count = look_at_all(stage, stage->before);
	while (!stage->is_exact && !has_clock_moved(stage)) {
		nanosleep(&pause, NULL);
	}
}

bool stage_enter(struct stage *stage)
{
	struct scene *scene = stage->scene;
	char parent[PATH_MAX - 8];

	if (!stage->used) {
		prepare(scene, !chdir(stage->root));
		return false;
	}
	stage->used = false;
	snprintf(parent, sizeof(parent), "%.4000s/%03u", stage->base, stage->number++);
	snprintf(stage->root, sizeof(stage->root), "%s/tree", parent);
	prepare(scene, !mkdir(parent, 0755) && !mkdir(stage->root, 0755) && !chdir(stage->root));
	scene->root = stage->root;
	tree_make(scene);
	make_old(stage);
	stage_remember(stage);
	return true;
}

void stage_prepared(struct stage *stage)
{
	stage->used = true;
	stage_remember(stage);
}

static struct stage_entry *find(struct stage_entry *entries, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(entries[i].path, path)) {
			return &entries[i];
		}
	}
	return NULL;
}

static bool same_time(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

static bool tell_entry(
	struct stage *stage, const struct stage_entry *now, const struct stage_entry *then)
{
	bool written, changed;

	if (!then) {
		tell(stage->scene, " new");
		tell_path(stage->scene, now->path);
		return true;
	}
	written = !same_time(&now->st.st_mtim, &then->st.st_mtim);
	changed = !same_time(&now->st.st_ctim, &then->st.st_ctim);
	if (!written && !changed && now->st.st_mode == then->st.st_mode &&
		now->st.st_ino == then->st.st_ino && now->st.st_nlink == then->st.st_nlink) {
		return false;
	}
	tell_path(stage->scene, now->path);
	if (now->st.st_ino != then->st.st_ino) {
		tell(stage->scene, "i"); /* another file, whose times are its own */
	} else {
		tell(stage->scene, "%s%s", written ? "m" : "", changed ? "c" : "");
	}
	return true;
}

void stage_tell(struct stage *stage)
{
	if (chdir(stage->root)) {
		tell(stage->scene, " tree lost: %s", observe_errno(errno));
		stage->used = true;
	} else {
		stage->after_count = look_at_all(stage, stage->after);
		for (size_t i = 0; i < stage->before_count; i++) {
			if (!find(stage->after, stage->after_count, stage->before[i].path)) {
				tell(stage->scene, " gone[%s]", stage->before[i].path);
				stage->used = true;
			}
		}
		for (size_t i = 0; i < stage->after_count; i++) {
			stage->used |= tell_entry(stage, &stage->after[i],
				find(stage->before, stage->before_count, stage->after[i].path));
		}
	}
	close_range(3, STAGE_FIRST_KEPT - 1, 0);
}
