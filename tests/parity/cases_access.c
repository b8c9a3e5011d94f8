/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access, faccessat, faccessat2: judged by the real ids, or with AT_EACCESS by the effective ones.
 */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

static long call_exists(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_access, path, F_OK);
}

static long call_access(struct scene *scene, int dirfd, const char *path)
{
	(void)dirfd;
	tell_result(scene, raw(SYS_access, path, R_OK));
	tell_result(scene, raw(SYS_access, path, W_OK));
	return raw(SYS_access, path, X_OK);
}

static long call_faccessat(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_faccessat, dirfd, path, R_OK | W_OK);
}

static long call_effective(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_faccessat2, dirfd, path, R_OK | X_OK, AT_EACCESS);
}

static long call_nofollow(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_faccessat2, dirfd, path, R_OK, AT_SYMLINK_NOFOLLOW);
}

static long call_empty(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_faccessat2, dirfd, path, W_OK, AT_EMPTY_PATH);
}

static const struct path_call calls[] = {
	{"access-exists", call_exists, EFFECT_NONE, false},
	{"access", call_access, EFFECT_NONE, false},
	{"faccessat", call_faccessat, EFFECT_NONE, true},
	{"faccessat2-effective", call_effective, EFFECT_NONE, true},
	{"faccessat2-nofollow", call_nofollow, EFFECT_NONE, true},
	{"faccessat2-empty", call_empty, EFFECT_NONE, true},
};

static void ask(struct scene *scene)
{
	static const char *const names[] = {"regular", "forbidden", "theirs", "closed/inner",
		"link", "executable", "fifo", "/etc/shadow", "/proc/self/mem", "/proc/1/environ"};
	static const unsigned int modes[] = {R_OK, W_OK, X_OK};

	for (size_t n = 0; n < array_length(names); n++) {
		tell(scene, " %s", names[n]);
		for (size_t m = 0; m < array_length(modes); m++) {
			tell_result(scene, raw(SYS_access, names[n], modes[m]));
			tell_result(scene, raw(SYS_faccessat, AT_FDCWD, names[n], modes[m]));
			tell_result(scene,
				raw(SYS_faccessat2, AT_FDCWD, names[n], modes[m], AT_EACCESS));
		}
	}
}

/* Real and effective ids that differ, either way round; groups; after ids were given up. */
static void run_ids(struct scene *scene)
{
	const gid_t groups[] = {4242};

	prepare(scene, raw_open("theirs", O_CREAT | O_WRONLY, 0600) >= 0);
	if (geteuid() != 0) {
		ask(scene);
		return;
	}
	prepare(scene, !chown("theirs", 12345, 4242) && !chmod("theirs", 0640));
	tell(scene, " | effective 12345 ");
	prepare(scene, !setresuid(0, 12345, 0));
	ask(scene);
	prepare(scene, !setresuid(0, 0, 0));
	tell(scene, " | real 12345 ");
	prepare(scene, !setresuid(12345, 0, 0));
	ask(scene);
	prepare(scene, !setresuid(0, 0, 0));
	tell(scene, " | real 777, in the group ");
	prepare(scene, !setgroups(1, groups) && !setresuid(777, 0, 0));
	ask(scene);
	tell(scene, " | real group only ");
	prepare(scene, !setresuid(777, 777, 0) && !seteuid(0) && !setgroups(0, NULL) &&
			       !setresgid(4242, 9, 0) && !setresuid(777, 777, 777));
	ask(scene);
}

/* Its entries in /proc are root's once a process has given up its ids, and it may look still. */
static void run_own_entries(struct scene *scene)
{
	static const char *const names[] = {"fd", "fd/0", "fdinfo/0", "exe", "cwd", "root",
		"ns/mnt", "map_files", "task/../fd/0", "environ", "status"};
	char path[64], target[256];
	struct stat st;

	prepare(scene, geteuid() || !setresuid(12345, 12345, 12345));
	for (size_t n = 0; n < array_length(names); n++) {
		snprintf(path, sizeof(path), "/proc/self/%s", names[n]);
		tell(scene, " | %s ", names[n]);
		tell_result(scene, raw(SYS_access, path, F_OK));
		tell_result(scene, raw(SYS_access, path, R_OK));
		tell_result(scene, raw(SYS_newfstatat, AT_FDCWD, path, &st, 0));
		tell_result(scene, raw(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW));
		tell_result(scene, raw(SYS_readlink, path, target, sizeof(target)) > 0);
	}
}

static void run_flags(struct scene *scene)
{
	static const unsigned long flags[] = {AT_SYMLINK_FOLLOW, AT_NO_AUTOMOUNT, 1,
		AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, 1ul << 32, 0x80000000};
	static const unsigned long modes[] = {8, 15, 0x100, 1ul << 32, 0xffffffff, 1ul << 32 | 4};
	static const char *const names[] = {"regular", "link", "missing", ""};

	for (size_t n = 0; n < array_length(names); n++) {
		for (size_t f = 0; f < array_length(flags); f++) {
			tell(scene, " | %lx %s ", flags[f], names[n]);
			tell_result(scene, raw(SYS_faccessat2, AT_FDCWD, names[n], R_OK, flags[f]));
		}
		for (size_t m = 0; m < array_length(modes); m++) {
			tell(scene, " | mode %lx %s ", modes[m], names[n]);
			tell_result(scene, raw(SYS_access, names[n], modes[m]));
			tell_result(scene, raw(SYS_faccessat2, AT_FDCWD, names[n], modes[m], 0));
		}
	}
	tell(scene, " faccessat with flags ");
	tell_result(scene, raw(SYS_faccessat, AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
	tell_result(scene, raw(SYS_faccessat2, -1, NULL, 8, 1));
	tell_result(scene, raw(SYS_access, NULL, 8));
}

void cases_access(struct runner *runner)
{
	cross_path_calls(runner, calls, array_length(calls));
	runner_case(runner, run_ids, NULL, "call/access/ids");
	runner_case(runner, run_own_entries, NULL, "call/access/own-entries");
	runner_case(runner, run_flags, NULL, "call/access/flags");
}
