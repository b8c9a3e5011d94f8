/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ordinary names in circumstances that the kernel judges: others' files in a sticky directory, what
 * a new file inherits, a full table of descriptors, file systems that are read-only or full.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/acl.h"
#include "tests/parity/cross.h"
#include "tests/parity/mounts.h"

#define GROUP_OF_DIRECTORY  4242
#define OWNER_OF_DIRECTORY  7
#define OWNER_OF_ENTRIES    8
#define TABLE_SIZE          64
#define EFFECT_ANY_BUT_TEXT (EFFECT_NONE | EFFECT_ENTRY | EFFECT_OBJECT)

static void give(struct scene *scene, const char *path, uid_t uid)
{
	prepare(scene, geteuid() != 0 || !lchown(path, uid, uid));
}

/* Two others' files, links and directories in a third one's sticky directory (fs.protected_*). */
static const char *in_sticky(struct scene *scene, const char *path, int *dirfdp)
{
	(void)dirfdp;
	if (chdir("sticky") || raw_open("file", O_WRONLY | O_CREAT, 0666) < 0 ||
		chmod("file", 0666) || link("file", "hard") || mkfifo("fifo", 0) ||
		chmod("fifo", 0666) || mkdir("sub", 0777) || chmod("sub", 0777) ||
		symlink("../regular", "pointing") || symlink("../dir", "to-directory") ||
		chdir("..")) {
		scene_broken(scene, "sticky");
	}
	give(scene, "sticky", OWNER_OF_DIRECTORY);
	prepare(scene, geteuid() != 0 || !chmod("sticky", 01777));
	give(scene, "sticky/file", OWNER_OF_ENTRIES);
	give(scene, "sticky/fifo", OWNER_OF_ENTRIES);
	give(scene, "sticky/sub", OWNER_OF_ENTRIES);
	give(scene, "sticky/pointing", OWNER_OF_ENTRIES);
	give(scene, "sticky/to-directory", OWNER_OF_ENTRIES);
	return path;
}

#define STICKY(text)                                                              \
	{                                                                         \
		.name = text, .make = in_sticky, .path = "sticky/" text,          \
		.harmless = EFFECT_ANY_BUT_TEXT, .spoils = true, .as_other = true \
	}

static const struct path_argument sticky[] = {
	STICKY("file"),
	STICKY("hard"),
	STICKY("fifo"),
	STICKY("sub"),
	STICKY("sub/missing"),
	STICKY("pointing"),
	STICKY("to-directory"),
	STICKY("to-directory/inner"),
	STICKY("missing"),
};

/* A directory that hands on its group. */
static const char *of_group(struct scene *scene, const char *path, int *dirfdp)
{
	(void)dirfdp;
	prepare(scene, geteuid() != 0 || (!chown("setgid", (uid_t)-1, GROUP_OF_DIRECTORY) &&
						 !chmod("setgid", 02777)));
	return path;
}

static const char *with_acl(struct scene *scene, const char *path, int *dirfdp)
{
	(void)dirfdp;
	prepare(scene, !chmod("dir", 0777));
	acl_set_default(scene, "dir");
	return path;
}

#define INHERIT(function, text)                                                   \
	{.name = #function,                                                       \
		.make = function,                                                 \
		.path = text,                                                     \
		.harmless = EFFECT_ANY_BUT_TEXT,                                  \
		.spoils = true},                                                  \
	{                                                                         \
		.name = #function " as other", .make = function, .path = text,    \
		.harmless = EFFECT_ANY_BUT_TEXT, .spoils = true, .as_other = true \
	}

static const struct path_argument inherited[] = {
	INHERIT(of_group, "setgid/missing"),
	INHERIT(with_acl, "dir/missing"),
	INHERIT(with_acl, "dir/inner"),
};

static const char *full_table(struct scene *scene, const char *path, int *dirfdp)
{
	struct rlimit limit;

	(void)dirfdp;
	prepare(scene, !getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = TABLE_SIZE;
	prepare(scene, !setrlimit(RLIMIT_NOFILE, &limit));
	while (dup(0) >= 0) {
	}
	prepare(scene, errno == EMFILE);
	return path;
}

static void raise_limit(struct scene *scene)
{
	struct rlimit limit;

	prepare(scene, !getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	prepare(scene, !setrlimit(RLIMIT_NOFILE, &limit));
}

#define FULL(text)                                                                  \
	{                                                                           \
		.name = text, .make = full_table, .undo = raise_limit, .path = text \
	}

static const struct path_argument crowded[] = {
	FULL("regular"),
	FULL("missing"),
	FULL("dir"),
	FULL("dir/inner"),
	FULL("link"),
	FULL("loop"),
	FULL("regular/"),
	FULL("missing/child"),
	FULL("."),
};

static const char *mounted(struct scene *scene, const char *path, int *dirfdp)
{
	static char name[PATH_MAX];

	(void)dirfdp;
	prepare(scene, mounts_fill() == 0);
	snprintf(name, sizeof(name), "%s/%s", mounts_directory(), path);
	return name;
}

#define MOUNTED(text)                                                                        \
	{                                                                                    \
		.name = text, .make = mounted, .path = text, .harmless = EFFECT_ANY_BUT_TEXT \
	}

static const struct path_argument mounts[] = {
	MOUNTED("read-only/regular"),
	MOUNTED("read-only/link"),
	MOUNTED("read-only/dangling"),
	MOUNTED("read-only/dir"),
	MOUNTED("read-only/dir/inner"),
	MOUNTED("read-only/dir/.."),
	MOUNTED("read-only/sticky"),
	MOUNTED("read-only/missing"),
	MOUNTED("read-only/missing/child"),
	MOUNTED("read-only/closed/missing"),
	MOUNTED("read-only/fifo"),
	MOUNTED("read-only"),
	MOUNTED("read-only/."),
	MOUNTED("full/missing"),
	MOUNTED("full/dir/missing"),
	MOUNTED("full/regular"),
	MOUNTED("full/sticky/missing"),
	MOUNTED("full/link"),
	MOUNTED("full"),
	MOUNTED("full/missing-again"),
};

#define GROUP(array)                               \
	{                                          \
#array, array, array_length(array) \
	}

const struct path_group groups_of_circumstances[] = {
	GROUP(sticky),
	GROUP(inherited),
	GROUP(crowded),
	{NULL, NULL, 0},
};

const struct path_group groups_of_mounts[] = {
	GROUP(mounts),
	{NULL, NULL, 0},
};
