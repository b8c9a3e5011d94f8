/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link and linkat: each kind of name as the old and as the new one, and who may link what.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

static long call_old(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_link, path, "new");
}

static long call_new(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_link, "regular", path);
}

static long call_linkat_old(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_linkat, dirfd, path, AT_FDCWD, "new", 0);
}

static long call_linkat_follow(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_linkat, dirfd, path, AT_FDCWD, "new", AT_SYMLINK_FOLLOW);
}

static long call_linkat_empty(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_linkat, dirfd, path, AT_FDCWD, "new", AT_EMPTY_PATH);
}

static long call_linkat_new(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_linkat, AT_FDCWD, "link", dirfd, path, 0);
}

static const struct path_call calls[] = {
	{"link-old", call_old, EFFECT_ENTRY, false},
	{"link-new", call_new, EFFECT_ENTRY, false},
	{"linkat-old", call_linkat_old, EFFECT_ENTRY, true},
	{"linkat-follow-old", call_linkat_follow, EFFECT_ENTRY, true},
	{"linkat-empty-old", call_linkat_empty, EFFECT_ENTRY, true},
	{"linkat-new", call_linkat_new, EFFECT_ENTRY, true},
};

/* fs.protected_hardlinks: other people's files, by who owns what and what it may be opened for. */
static void run_protected(struct scene *scene)
{
	static const char *const names[] = {"regular", "readonly", "setuid", "executable", "fifo",
		"forbidden", "link", "theirs", "writable"};
	struct stage *stage = stage_new(scene);
	bool root = geteuid() == 0;

	for (size_t i = 0; i < array_length(names); i++) {
		stage_enter(stage);
		prepare(scene, raw_open("theirs", O_CREAT | O_WRONLY, 0600) >= 0);
		prepare(scene, raw_open("writable", O_CREAT | O_WRONLY, 0600) >= 0);
		if (root) {
			prepare(scene, !chown("theirs", 12345, 12345) && !chmod("writable", 0666));
		}
		stage_prepared(stage);
		if (root) {
			prepare(scene, !seteuid(12345));
		}
		tell(scene, " | %s ", names[i]);
		tell_result(scene, raw(SYS_link, names[i], "sticky/new"));
		if (root) {
			prepare(scene, !seteuid(0));
		}
		stage_tell(stage);
	}
	free(stage);
}

static void run_flags(struct scene *scene)
{
	static const unsigned long flags[] = {AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR, AT_EACCESS, 1,
		AT_SYMLINK_FOLLOW | AT_EMPTY_PATH, 1ul << 32, 0x80000000};
	static const char *const names[] = {"regular", "link", "missing", ""};

	for (size_t f = 0; f < array_length(flags); f++) {
		for (size_t n = 0; n < array_length(names); n++) {
			tell(scene, " | %lx %s ", flags[f], names[n]);
			tell_result(scene,
				raw(SYS_linkat, AT_FDCWD, names[n], AT_FDCWD, "new", flags[f]));
			tell_path(scene, "new");
			unlink("new");
		}
	}
	tell_result(scene, raw(SYS_link, NULL, NULL));
	tell_result(scene, raw(SYS_link, "regular", NULL));
	tell_result(scene, raw(SYS_link, NULL, "regular"));
	tell_result(scene, raw(SYS_link, "missing", "regular"));
	tell_result(scene, raw(SYS_link, "missing", "missing/new"));
	tell_result(scene, raw(SYS_linkat, -1, "", -1, "", AT_EMPTY_PATH));
	tell_result(scene, raw(SYS_linkat, -1, "x", AT_FDCWD, NULL, 64));
}

/* A file without a name gets one, or does not. */
static void run_unnamed(struct scene *scene)
{
	static const int ways[] = {O_RDWR | O_TMPFILE, O_RDWR | O_TMPFILE | O_EXCL};

	for (size_t i = 0; i < array_length(ways); i++) {
		int fd = raw_open("dir", ways[i], 0640);
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		tell(scene, " | %o ", (unsigned int)ways[i]);
		tell_result(scene,
			raw(SYS_linkat, AT_FDCWD, path, AT_FDCWD, "first", AT_SYMLINK_FOLLOW));
		tell_path(scene, "first");
		tell_result(scene, raw(SYS_linkat, fd, "", AT_FDCWD, "second", AT_EMPTY_PATH));
		tell_path(scene, "second");
		tell_result(scene, raw(SYS_linkat, AT_FDCWD, path, AT_FDCWD, "third", 0));
		unlink("first");
		unlink("second");
	}
	tell(scene, " memfd ");
	tell_result(
		scene, raw(SYS_linkat, memfd_create("x", 0), "", AT_FDCWD, "new", AT_EMPTY_PATH));
}

void cases_link(struct runner *runner)
{
	cross_path_calls(runner, calls, array_length(calls));
	runner_case(runner, run_protected, NULL, "call/link/protected");
	runner_case(runner, run_flags, NULL, "call/link/flags");
	runner_case(runner, run_unnamed, NULL, "call/link/unnamed");
}
