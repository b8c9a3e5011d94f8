/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unlink, rmdir, unlinkat: what may be removed, and what is left.
 */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

static long call_unlink(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_unlink, path);
}

static long call_rmdir(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_rmdir, path);
}

static long call_unlinkat(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_unlinkat, dirfd, path, 0);
}

static long call_unlinkat_directory(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_unlinkat, dirfd, path, AT_REMOVEDIR);
}

static const struct path_call calls[] = {
	{"unlink", call_unlink, EFFECT_ENTRY, false},
	{"rmdir", call_rmdir, EFFECT_ENTRY, false},
	{"unlinkat", call_unlinkat, EFFECT_ENTRY, true},
	{"unlinkat-removedir", call_unlinkat_directory, EFFECT_ENTRY, true},
};

static void run_flags(struct scene *scene)
{
	static const unsigned long flags[] = {AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW,
		1, AT_REMOVEDIR | 1, 0x80000000, 1ul << 32, 1ul << 32 | AT_REMOVEDIR};
	static const char *const paths[] = {"regular", "missing", "dir", "setgid", ""};
	struct stage *stage = stage_new(scene);

	for (size_t f = 0; f < array_length(flags); f++) {
		for (size_t p = 0; p < array_length(paths); p++) {
			stage_enter(stage);
			tell(scene, " | %lx %s ", flags[f], paths[p]);
			tell_result(scene, raw(SYS_unlinkat, AT_FDCWD, paths[p], flags[f]));
			stage_tell(stage);
		}
	}
	tell(scene, " bad pointer ");
	tell_result(scene, raw(SYS_unlinkat, -1, 1, 1));
	free(stage);
}

/* In a sticky directory only its owner and the file's may remove. */
static void run_sticky(struct scene *scene)
{
	static const char *const names[] = {"sticky/own", "sticky/other", "sticky/directory"};
	struct stage *stage = stage_new(scene);
	bool root = geteuid() == 0;

	for (size_t i = 0; i < 2 * array_length(names); i++) {
		const char *name = names[i % array_length(names)];

		stage_enter(stage);
		prepare(scene, raw_open("sticky/own", O_CREAT | O_WRONLY, 0666) >= 0);
		prepare(scene, raw_open("sticky/other", O_CREAT | O_WRONLY, 0666) >= 0);
		prepare(scene, !mkdir("sticky/directory", 0777));
		if (root) {
			prepare(scene,
				!chown("sticky", i < 3 ? 7 : 12345, 7) && !chmod("sticky", 01777));
			prepare(scene,
				!chown("sticky/own", 12345, 7) && !chown("sticky/other", 8, 7));
		}
		stage_prepared(stage);
		if (root) {
			prepare(scene, !seteuid(12345));
		}
		tell(scene, " | %s ", name);
		tell_result(scene, raw(SYS_unlink, name));
		tell(scene, " ");
		tell_result(scene, raw(SYS_rmdir, name));
		tell(scene, " rename ");
		tell_result(scene, raw(SYS_rename, name, "sticky/new"));
		tell(scene, " onto ");
		tell_result(scene, raw(SYS_rename, "sticky/own", "sticky/other"));
		if (root) {
			prepare(scene, !seteuid(0));
		}
		stage_tell(stage);
	}
	free(stage);
}

/* What is removed lives on in descriptors and other links. */
static void run_afterlife(struct scene *scene)
{
	int fd = raw_open("regular", O_RDWR, 0), directory = raw_open("sticky", O_RDONLY, 0);
	char path[64];

	prepare(scene, !link("regular", "second"));
	tell_result(scene, raw(SYS_unlink, "regular"));
	tell_fd(scene, fd);
	tell_result(scene, raw(SYS_unlink, "second"));
	tell_fd(scene, fd);
	tell_result(scene, raw(SYS_rmdir, "sticky"));
	tell(scene, " in the removed directory ");
	tell_result(scene, raw_openat(directory, "new", O_CREAT | O_WRONLY, 0600));
	tell_result(scene, raw(SYS_mkdirat, directory, "new", 0700));
	tell_result(scene, raw(SYS_symlinkat, "x", directory, "new"));
	tell_result(scene, raw(SYS_unlinkat, directory, ".", AT_REMOVEDIR));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	tell(scene, " linked again ");
	tell_result(scene, raw(SYS_linkat, AT_FDCWD, path, AT_FDCWD, "again", AT_SYMLINK_FOLLOW));
	tell(scene, " working directory ");
	prepare(scene, !mkdir("here", 0700) && !chdir("here"));
	tell_result(scene, raw(SYS_rmdir, "../here"));
	tell_result(scene, raw(SYS_rmdir, "."));
	tell_result(scene, raw(SYS_unlink, "x"));
}

void cases_unlink(struct runner *runner)
{
	cross_path_calls(runner, calls, array_length(calls));
	runner_case(runner, run_flags, NULL, "call/unlinkat/flags");
	runner_case(runner, run_sticky, NULL, "call/unlink/sticky");
	runner_case(runner, run_afterlife, NULL, "call/unlink/afterlife");
}
