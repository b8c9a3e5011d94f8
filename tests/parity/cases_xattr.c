/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes: setxattr, removexattr, getxattr, listxattr and those that do not follow.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

#define MARK "user.mark"

/* So that there is something to get and to remove. */
static void mark(void)
{
	static const char *const names[] = {"regular", "dir", "dir/inner"};

	for (size_t i = 0; i < array_length(names); i++) {
		cleanup_fd int fd = raw_open(names[i], O_RDONLY | O_CLOEXEC, 0);

		fsetxattr(fd, MARK, "content", 7, 0);
	}
}

static long call_set(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_setxattr, path, "user.new", "value", 5, 0);
}

static long call_lset(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_lsetxattr, path, "user.new", "value", 5, 0);
}

static long call_lset_trusted(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_lsetxattr, path, "trusted.new", "value", 5, 0);
}

static long call_remove(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_removexattr, path, MARK);
}

static long call_lremove(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_lremovexattr, path, MARK);
}

static long call_get(struct scene *scene, int dirfd, const char *path)
{
	char value[32] = "";
	long result = raw(SYS_getxattr, path, MARK, value, sizeof(value));

	(void)dirfd;
	tell(scene, "%.31s", value);
	return result;
}

static long call_lget(struct scene *scene, int dirfd, const char *path)
{
	char value[32] = "";
	long result = raw(SYS_lgetxattr, path, MARK, value, sizeof(value));

	(void)dirfd;
	tell(scene, "%.31s", value);
	return result;
}

static long call_list(struct scene *scene, int dirfd, const char *path)
{
	char names[256] = "";
	long result = raw(SYS_listxattr, path, names, sizeof(names));

	(void)dirfd;
	tell(scene, "%.31s", names);
	return result;
}

static long call_llist(struct scene *scene, int dirfd, const char *path)
{
	char names[256] = "";
	long result = raw(SYS_llistxattr, path, names, sizeof(names));

	(void)dirfd;
	tell(scene, "%.31s", names);
	return result;
}

static const struct path_call calls[] = {
	{"setxattr", call_set, EFFECT_OBJECT, false},
	{"lsetxattr", call_lset, EFFECT_OBJECT, false},
	{"lsetxattr-trusted", call_lset_trusted, EFFECT_OBJECT, false},
	{"removexattr", call_remove, EFFECT_OBJECT, false, mark},
	{"lremovexattr", call_lremove, EFFECT_OBJECT, false, mark},
	{"getxattr", call_get, EFFECT_NONE, false, mark},
	{"lgetxattr", call_lget, EFFECT_NONE, false, mark},
	{"listxattr", call_list, EFFECT_NONE, false, mark},
	{"llistxattr", call_llist, EFFECT_NONE, false, mark},
};

static void run_names(struct scene *scene)
{
	static char long_name[300];
	static const char *const names[] = {"user.x", "user.", "user", "x", "", "trusted.x",
		"security.x", "system.x", "system.posix_acl_access", "USER.x", "user.\xff",
		long_name, "security.capability", "user.x.y z"};
	char value[64];

	memset(long_name, 'n', 260);
	memcpy(long_name, "user.", 5);
	for (int i = 0; i < 2; i++) {
		for (size_t n = 0; n < array_length(names); n++) {
			tell(scene, " | %.30s ", names[n]);
			tell_result(scene, raw(SYS_setxattr, "regular", names[n], "v", 1, 0));
			tell_result(scene, raw(SYS_getxattr, "regular", names[n], value, 64));
			tell_result(scene, raw(SYS_removexattr, "regular", names[n]));
			tell_result(scene, raw(SYS_lsetxattr, "link", names[n], "v", 1, 0));
			tell_result(scene, raw(SYS_lgetxattr, "link", names[n], value, 64));
		}
		long_name[255] = '\0'; /* the longest that is right */
	}
	tell_result(scene, raw(SYS_setxattr, "regular", NULL, "v", 1, 0));
	tell_result(scene, raw(SYS_getxattr, "missing", NULL, value, 64));
	tell_result(scene, raw(SYS_removexattr, "missing", ""));
	tell_result(scene, raw(SYS_setxattr, "missing", "user.x", 8, 1, 0));
	tell_result(scene, raw(SYS_setxattr, NULL, "user.x", 8, 1, 64));
}

static void run_flags(struct scene *scene)
{
	static const unsigned long flags[] = {XATTR_REPLACE, XATTR_CREATE, XATTR_CREATE,
		XATTR_REPLACE, XATTR_CREATE | XATTR_REPLACE, 4, 1ul << 32, 0x80000000};
	char value[8];

	for (size_t i = 0; i < array_length(flags); i++) {
		tell(scene, " | %lx ", flags[i]);
		tell_result(scene, raw(SYS_setxattr, "regular", "user.f", "v", 1, flags[i]));
		tell_result(scene, raw(SYS_getxattr, "regular", "user.f", value, sizeof(value)));
	}
}

/* Sizes of values and of room for them. */
static void run_sizes(struct scene *scene)
{
	static const unsigned long sizes[] = {
		0, 1, 6, 7, 8, 4000, 65536, 65537, 1ul << 31, 1ul << 32, ~0ul};
	static char data[70000];

	for (size_t i = 0; i < array_length(sizes); i++) {
		tell(scene, " | %lx ", sizes[i]);
		tell_result(scene, raw(SYS_setxattr, "regular", "user.s", data, sizes[i], 0));
		tell_result(scene, raw(SYS_setxattr, "regular", "user.n", NULL, sizes[i], 0));
		prepare(scene, !raw(SYS_setxattr, "regular", MARK, "content", 7, 0));
		tell_result(scene, raw(SYS_getxattr, "regular", MARK, data, sizes[i]));
		tell_result(scene, raw(SYS_getxattr, "regular", MARK, NULL, sizes[i]));
		tell_result(scene, raw(SYS_getxattr, "regular", MARK, 8, sizes[i]));
		tell_result(scene, raw(SYS_listxattr, "regular", data, sizes[i]));
		tell_result(scene, raw(SYS_listxattr, "regular", 8, sizes[i]));
		tell_result(scene, raw(SYS_listxattr, "empty", 8, sizes[i]));
		memset(data, 0, sizeof(data));
	}
}

void cases_xattr(struct runner *runner)
{
	cross_path_calls(runner, calls, array_length(calls));
	runner_case(runner, run_names, NULL, "call/xattr/names");
	runner_case(runner, run_flags, NULL, "call/xattr/flags");
	runner_case(runner, run_sizes, NULL, "call/xattr/sizes");
}
