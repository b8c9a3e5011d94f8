/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chmod and its kin: every mode, and who may set it.
 */
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/missing.h"
#include "tests/parity/cross.h"

static long call_chmod(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_chmod, path, 0751);
}

static long call_fchmodat(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_fchmodat, dirfd, path, 0751);
}

static long call_fchmodat2(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_fchmodat2, dirfd, path, 0751, 0);
}

static long call_nofollow(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_fchmodat2, dirfd, path, 0751, AT_SYMLINK_NOFOLLOW);
}

static long call_empty(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_fchmodat2, dirfd, path, 0751, AT_EMPTY_PATH);
}

static const struct path_call calls[] = {
	{"chmod", call_chmod, EFFECT_OBJECT, false},
	{"fchmodat", call_fchmodat, EFFECT_OBJECT, true},
	{"fchmodat2", call_fchmodat2, EFFECT_OBJECT, true},
	{"fchmodat2-nofollow", call_nofollow, EFFECT_OBJECT, true},
	{"fchmodat2-empty", call_empty, EFFECT_OBJECT, true},
};

static void run_modes(struct scene *scene)
{
	static const unsigned long modes[] = {0, 01, 0777, 01777, 02755, 02745, 04755, 07777,
		0177777, S_IFDIR | 0700, 1ul << 32 | 0640, 0x80000000 | 0600};
	static const char *const names[] = {"regular", "dir", "setgid", "setuid", "fifo", "link"};
	struct stage *stage = stage_new(scene);

	for (size_t m = 0; m < array_length(modes); m++) {
		for (size_t n = 0; n < array_length(names); n++) {
			stage_enter(stage);
			tell(scene, " | %lo %s ", modes[m], names[n]);
			tell_result(scene, raw(SYS_chmod, names[n], modes[m]));
			stage_tell(stage);
		}
	}
	free(stage);
}

/* The setgid bit falls away for one who is not of the file's group. */
static void run_group(struct scene *scene)
{
	const gid_t groups[] = {4242};
	bool root = geteuid() == 0;

	if (root) {
		prepare(scene, !chown("regular", 12345, 4242) && !chown("empty", 12345, 77));
		prepare(scene, !setgroups(1, groups) && !setegid(12346) && !seteuid(12345));
	}
	tell_result(scene, raw(SYS_chmod, "regular", 02755));
	tell_path(scene, "regular");
	tell_result(scene, raw(SYS_chmod, "empty", 06755));
	tell_path(scene, "empty");
	tell_result(scene, raw(SYS_chmod, "readonly", 0644));
	tell_result(scene, raw(SYS_chmod, "/etc/passwd", 0644));
}

static void run_flags(struct scene *scene)
{
	static const unsigned long flags[] = {AT_SYMLINK_FOLLOW, AT_REMOVEDIR, AT_EACCESS, 1,
		AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, 1ul << 32, 0x80000000};
	static const char *const names[] = {"regular", "link", "missing", ""};

	for (size_t f = 0; f < array_length(flags); f++) {
		for (size_t n = 0; n < array_length(names); n++) {
			tell(scene, " | %lx %s ", flags[f], names[n]);
			tell_result(scene, raw(SYS_fchmodat2, AT_FDCWD, names[n], 0700, flags[f]));
		}
	}
	tell(scene, " fchmodat with flags ");
	tell_result(scene, raw(SYS_fchmodat, AT_FDCWD, "link", 0711, AT_SYMLINK_NOFOLLOW));
	tell_path(scene, "regular");
	tell_result(scene, raw(SYS_fchmodat2, -1, NULL, 0, 1));
}

void cases_chmod(struct runner *runner)
{
	cross_path_calls(runner, calls, array_length(calls));
	runner_case(runner, run_modes, NULL, "call/chmod/modes");
	runner_case(runner, run_group, NULL, "call/chmod/group");
	runner_case(runner, run_flags, NULL, "call/chmod/flags");
}
