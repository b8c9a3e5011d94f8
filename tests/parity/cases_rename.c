/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rename and its kin: each kind of name as the old and as the new one, and pairs of names with
 * every flag.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

static long call_old(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_rename, path, "new");
}

static long call_new(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_rename, "regular", path);
}

static long call_new_directory(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_rename, "dir", path);
}

static long call_renameat_old(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_renameat, dirfd, path, AT_FDCWD, "sticky/new");
}

static long call_renameat_new(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_renameat, AT_FDCWD, "link", dirfd, path);
}

static long call_renameat2_new(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_renameat2, AT_FDCWD, "regular", dirfd, path, RENAME_NOREPLACE);
}

static long call_exchange(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_renameat2, dirfd, path, AT_FDCWD, "regular", RENAME_EXCHANGE);
}

static const struct path_call calls[] = {
	{"rename-old", call_old, EFFECT_ENTRY, false},
	{"rename-new", call_new, EFFECT_ENTRY, false},
	{"rename-new-of-directory", call_new_directory, EFFECT_ENTRY, false},
	{"renameat-old", call_renameat_old, EFFECT_ENTRY, true},
	{"renameat-new-of-link", call_renameat_new, EFFECT_ENTRY, true},
	{"renameat2-noreplace-new", call_renameat2_new, EFFECT_ENTRY, true},
	{"renameat2-exchange", call_exchange, EFFECT_ENTRY, true},
};

struct pair {
	const char *old_name, *new_name;
};

static const struct pair pairs[] = {
	{"regular", "new"},
	{"regular", "regular"},
	{"regular", "./regular"},
	{"regular", "empty"},
	{"regular", "dir"},
	{"regular", "link"},
	{"regular", "dangling"},
	{"regular", "loop"},
	{"regular", "fifo"},
	{"regular", "dir/inner"},
	{"regular", "closed/inner"},
	{"regular", "missing/new"},
	{"regular", "new/"},
	{"regular", "regular/x"},
	{"regular", "second"}, /* the same file by another link */
	{"second", "regular"},
	{"link", "regular"},
	{"link", "new/"},
	{"dirlink/", "new"},
	{"dirlink", "new"},
	{"missing", "new"},
	{"missing", "regular"},
	{"dir", "new"},
	{"dir", "new/"},
	{"dir/", "new"},
	{"dir", "dir"},
	{"dir", "dir/sub"},
	{"dir", "dir/sub/deeper"},
	{"dir", "dirlink/sub"},
	{"dir/sub", "dir"},
	{"dir/inner", "dir"},
	{"dir", "setgid"},
	{"setgid", "dir"},
	{"dir", "regular"},
	{"dir", "dirlink"},
	{"dir", "closed"},
	{"sticky", "setgid/moved"},
	{"sticky/.", "new"},
	{".", "new"},
	{"..", "new"},
	{"regular", "."},
	{"regular", ".."},
	{"dir", "."},
	{"", "new"},
	{"regular", ""},
	{"regular", "/proc/new"},
	{"regular", "/dev/shm/parity-missing/new"},
	{"/proc/self/comm", "new"},
};

struct flag_case {
	const char *name;
	unsigned long flags;
};

static const struct flag_case flag_cases[] = {
	{"none", 0},
	{"noreplace", RENAME_NOREPLACE},
	{"exchange", RENAME_EXCHANGE},
	{"whiteout", RENAME_WHITEOUT},
	{"whiteout-noreplace", RENAME_WHITEOUT | RENAME_NOREPLACE},
	{"exchange-noreplace", RENAME_EXCHANGE | RENAME_NOREPLACE},
	{"exchange-whiteout", RENAME_EXCHANGE | RENAME_WHITEOUT},
	{"unknown", 8},
	{"wide", 1ul << 32},
};

static void run_pairs(struct scene *scene)
{
	const struct flag_case *test = scene->data;
	struct stage *stage = stage_new(scene);

	for (size_t i = 0; i < array_length(pairs); i++) {
		const struct pair *pair = &pairs[i];

		stage_enter(stage);
		if (strstr(pair->old_name, "second") || strstr(pair->new_name, "second")) {
			prepare(scene, !link("regular", "second"));
			stage_prepared(stage);
		}
		if (strstr(pair->old_name, "sub") || strstr(pair->new_name, "deeper")) {
			prepare(scene, !mkdir("dir/sub", 0755));
			stage_prepared(stage);
		}
		tell(scene, " | %s %s ", pair->old_name, pair->new_name);
		tell_result(scene, raw(SYS_renameat2, AT_FDCWD, pair->old_name, AT_FDCWD,
					   pair->new_name, test->flags));
		stage_tell(stage);
	}
	free(stage);
}

/* Which of several mistakes is told. */
static void run_mistakes(struct scene *scene)
{
	tell_result(scene, raw(SYS_rename, NULL, NULL));
	tell_result(scene, raw(SYS_rename, NULL, "new"));
	tell_result(scene, raw(SYS_rename, "missing", NULL));
	tell_result(scene, raw(SYS_rename, "", NULL));
	tell_result(scene, raw(SYS_renameat, -1, "regular", -1, "new"));
	tell_result(scene, raw(SYS_renameat, -1, "missing", AT_FDCWD, NULL));
	tell_result(scene, raw(SYS_renameat, AT_FDCWD, "missing", -1, "x"));
	tell_result(scene, raw(SYS_renameat, AT_FDCWD, "regular", -1, "x"));
	tell_result(scene, raw(SYS_renameat2, -1, "regular", -1, "x", 64));
	tell_result(scene, raw(SYS_renameat2, -1, NULL, -1, NULL, 64));
	tell_result(scene, raw(SYS_rename, "missing", "missing/new"));
	tell_result(scene, raw(SYS_rename, "missing/old", "closed/new"));
	tell_result(scene, raw(SYS_rename, "missing", "/proc/new"));
	tell_result(scene, raw(SYS_rename, "loop/x", "missing/x"));
	tell_result(scene, raw(SYS_rename, ".", "/proc/."));
}

/* Between trees that are mounted apart: ours stand in one of these two. */
static void run_across(struct scene *scene)
{
	bool is_in_memory = !strncmp(scene->root, "/dev/shm/", strlen("/dev/shm/"));
	const char *elsewhere = is_in_memory ? "/tmp" : "/dev/shm";
	char new_name[64];

	snprintf(new_name, sizeof(new_name), "%s/parity-%d-new", elsewhere, getpid());
	tell_result(scene, raw(SYS_rename, "regular", new_name));
	tell_result(scene, raw(SYS_link, "regular", new_name));
	tell(scene, " exists ");
	tell_result(scene, raw(SYS_access, new_name, F_OK));
	tell_result(
		scene, raw(SYS_renameat2, AT_FDCWD, "dir", AT_FDCWD, elsewhere, RENAME_EXCHANGE));
	tell_result(scene, raw(SYS_rename, "dir", elsewhere));
	tell_result(scene, raw(SYS_rename, "dir", "/proc/sys"));
}

void cases_rename(struct runner *runner)
{
	cross_path_calls(runner, calls, array_length(calls));
	for (size_t i = 0; i < array_length(flag_cases); i++) {
		runner_case(runner, run_pairs, &flag_cases[i], "call/rename/pairs/%s",
			flag_cases[i].name);
	}
	runner_case(runner, run_mistakes, NULL, "call/rename/mistakes");
	runner_case(runner, run_across, NULL, "call/rename/across");
}
