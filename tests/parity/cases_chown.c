/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chown and its kin: to whom, by whom, and what becomes of setuid bits.
 */
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

static long call_nothing(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_chown, path, -1, -1);
}

static long call_chown(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_chown, path, 7, 9);
}

static long call_lchown(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_lchown, path, getuid(), getgid());
}

static long call_fchownat(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_fchownat, dirfd, path, -1, getgid(), 0);
}

static long call_nofollow(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_fchownat, dirfd, path, 7, -1, AT_SYMLINK_NOFOLLOW);
}

static long call_empty(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_fchownat, dirfd, path, getuid(), -1, AT_EMPTY_PATH);
}

static const struct path_call calls[] = {
	{"chown-nothing", call_nothing, EFFECT_OBJECT, false},
	{"chown", call_chown, EFFECT_OBJECT, false},
	{"lchown", call_lchown, EFFECT_OBJECT, false},
	{"fchownat", call_fchownat, EFFECT_OBJECT, true},
	{"fchownat-nofollow", call_nofollow, EFFECT_OBJECT, true},
	{"fchownat-empty", call_empty, EFFECT_OBJECT, true},
};

static void run_ids(struct scene *scene)
{
	static const unsigned long ids[] = {
		0, 7, 65534, 0xfffffffe, 0xffffffff, 1ul << 32 | 5, 4242};
	static const char *const names[] = {"regular", "setuid", "dir", "link", "fifo"};
	const int *by_other = scene->data;
	const gid_t groups[] = {4242};
	struct stage *stage = stage_new(scene);
	bool drops = *by_other && geteuid() == 0;

	for (size_t i = 0; i < array_length(ids) * array_length(names); i++) {
		const char *name = names[i % array_length(names)];
		unsigned long id = ids[i / array_length(names)];

		stage_enter(stage);
		if (drops) {
			prepare(scene, !chown(name, 12345, 12346) && !chmod("setuid", 06755));
			stage_prepared(stage);
			prepare(scene, !setgroups(1, groups) && !setegid(12346) && !seteuid(12345));
		}
		tell(scene, " | %lx %s ", id, name);
		tell_result(scene, raw(SYS_chown, name, id, -1));
		tell_result(scene, raw(SYS_chown, name, -1, id));
		tell_result(scene, raw(SYS_lchown, name, -1, id));
		if (drops) {
			prepare(scene, !seteuid(0) && !setegid(0));
		}
		stage_tell(stage);
	}
	free(stage);
}

static void run_flags(struct scene *scene)
{
	static const unsigned long flags[] = {AT_SYMLINK_FOLLOW, AT_REMOVEDIR, AT_EACCESS, 1,
		AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, 1ul << 32, 0x80000000};
	static const char *const names[] = {"regular", "link", "missing", ""};

	for (size_t f = 0; f < array_length(flags); f++) {
		for (size_t n = 0; n < array_length(names); n++) {
			tell(scene, " | %lx %s ", flags[f], names[n]);
			tell_result(scene, raw(SYS_fchownat, AT_FDCWD, names[n], -1, -1, flags[f]));
		}
	}
	tell_result(scene, raw(SYS_fchownat, -1, NULL, 0, 0, 1));
}

void cases_chown(struct runner *runner)
{
	static const int by_whom[] = {0, 1};

	cross_path_calls(runner, calls, array_length(calls));
	for (size_t i = 0; i < array_length(by_whom); i++) {
		runner_case(runner, run_ids, &by_whom[i], "call/chown/ids%s",
			by_whom[i] ? "/by-other" : "");
	}
	runner_case(runner, run_flags, NULL, "call/chown/flags");
}
