/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is denied by name is given another name, by moving what it lies in, and is changed by
 * descriptors that were got for something else.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/attacks/attack.h"

/* dirN may be had, and dirN/kept not; of dirO all may be. */
static const char *outer(const struct world *world)
{
	return world->twin ? "dirO" : "dirN";
}

static long reach(const struct world *world, long moved, const char *path)
{
	return moved < 0 ? moved : world_check(world, raw_open(path, O_RDONLY, 0));
}

static long move_directory(const struct world *world)
{
	return reach(world, raw(SYS_rename, outer(world), "dirM/moved"), "dirM/moved/kept/file");
}

/* A name may begin with two dots, or consist of more, and is one like any other. */
static long move_to_dots(const struct world *world)
{
	return reach(world, raw(SYS_rename, outer(world), "..moved"), "..moved/kept/file");
}

static long move_to_more_dots(const struct world *world)
{
	return reach(world, raw(SYS_rename, outer(world), "dirM/..."), "dirM/.../kept/file");
}

static long move_exchange_dots(const struct world *world)
{
	prepare(!mkdir("..moved", 0755));
	return reach(world,
		raw(SYS_renameat2, AT_FDCWD, "..moved/", AT_FDCWD, outer(world), RENAME_EXCHANGE),
		"..moved/kept/file");
}

static long move_directory_itself(const struct world *world)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/kept", outer(world));
	return reach(world, raw(SYS_rename, path, "dirM/moved"), "dirM/moved/file");
}

static long move_by_dirfd(const struct world *world)
{
	int here = raw_open(".", O_PATH | O_DIRECTORY, 0), there = raw_open("dirM", O_PATH, 0);

	return reach(world, raw(SYS_renameat, here, outer(world), there, "moved"),
		"dirM/moved/kept/file");
}

static long move_exchange(const struct world *world)
{
	prepare(!mkdir("dirM/moved", 0755));
	return reach(world,
		raw(SYS_renameat2, AT_FDCWD, outer(world), AT_FDCWD, "dirM/moved", RENAME_EXCHANGE),
		"dirM/moved/kept/file");
}

static long move_exchange_back(const struct world *world)
{
	prepare(!mkdir("dirM/moved", 0755));
	return reach(world,
		raw(SYS_renameat2, AT_FDCWD, "dirM/moved", AT_FDCWD, outer(world), RENAME_EXCHANGE),
		"dirM/moved/kept/file");
}

/* What is moved away leaves a device in its place, where nothing may be made. */
static long move_leaving(const struct world *world)
{
	const char *from = world->twin ? "dirA/other" : "dirC/file";
	struct stat st;
	long moved = raw(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, "dirM/moved", RENAME_WHITEOUT);

	if (moved == -EINVAL) {
		attack_impossible("no such renames on this filesystem");
	}
	return moved < 0 ? moved : !lstat(from, &st) && S_ISCHR(st.st_mode) ? 0 : -ESTALE;
}

/* A link of the same name takes the place of a directory in the middle. */
static long move_aside(const struct world *world)
{
	char path[64];

	prepare(!mkdir("dirM/outer", 0755));
	if (!world->twin) {
		/* dirN/kept is denied by its name: give its parent another name. */
		long moved = raw(SYS_renameat2, AT_FDCWD, "dirN", AT_FDCWD, "dirM/outer/n",
			RENAME_NOREPLACE);
		if (moved < 0) {
			return moved;
		}
		prepare(!symlink("dirM/outer/n", "dirN"));
		return world_check(world, raw_open("dirN/kept/file", O_RDONLY, 0));
	}
	snprintf(path, sizeof(path), "%s", "dirM/outer/n");
	return reach(world, raw(SYS_rename, "dirO", path), "dirM/outer/n/kept/file");
}

/* What may be read and not be changed; for the twin, both. */
static int open_readable(const struct world *world, int flags)
{
	int fd = raw_open(world->twin ? "dirA/file" : "dirR/file", flags, 0);

	prepare(fd >= 0);
	return fd;
}

static long by_fchmod(const struct world *world)
{
	return raw(SYS_fchmod, open_readable(world, O_RDONLY), 0777);
}

static long by_fchown(const struct world *world)
{
	return raw(SYS_fchown, open_readable(world, O_RDONLY), getuid(), getgid());
}

static long by_fsetxattr(const struct world *world)
{
	return raw(SYS_fsetxattr, open_readable(world, O_RDONLY), "user.evil", "x", 1, 0);
}

static long by_fremovexattr(const struct world *world)
{
	long result = raw(SYS_fremovexattr, open_readable(world, O_RDONLY), "user.none");

	return result == -ENODATA ? 0 : result; /* it would have removed it */
}

static long by_utimensat_null(const struct world *world)
{
	return raw(SYS_utimensat, open_readable(world, O_RDONLY), NULL, NULL, 0);
}

static long by_futimesat_null(const struct world *world)
{
	return raw(SYS_futimesat, open_readable(world, O_RDONLY), NULL, NULL);
}

static long by_empty_utimensat(const struct world *world)
{
	return raw(SYS_utimensat, open_readable(world, O_PATH), "", NULL, AT_EMPTY_PATH);
}

static long by_empty_fchownat(const struct world *world)
{
	return raw(SYS_fchownat, open_readable(world, O_PATH), "", getuid(), -1, AT_EMPTY_PATH);
}

static long by_empty_fchmodat2(const struct world *world)
{
	return raw(452, open_readable(world, O_PATH), "", 0777, AT_EMPTY_PATH);
}

static long by_reopened(const struct world *world, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", open_readable(world, flags));
	return raw(SYS_chmod, path, 0777);
}

static long by_proc_fd(const struct world *world)
{
	return by_reopened(world, O_RDONLY);
}

static long by_proc_path(const struct world *world)
{
	return by_reopened(world, O_PATH);
}

static long by_proc_truncate(const struct world *world)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", open_readable(world, O_RDONLY));
	return raw(SYS_truncate, path, 0);
}

/* What may be removed and not be read has lost the name by which it was opened, but has another. */
static long by_removed(const struct world *world)
{
	const char *name = world->twin ? "dirM/target" : "dirM/kept.key";
	int fd = raw_open(name, O_PATH, 0);
	char path[64];

	prepare(fd >= 0 && !link(name, world->twin ? "dirM/second" : "dirM/second.key"));
	prepare(!unlink(name));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return world_check(world, raw_open(path, O_RDONLY, 0));
}

/* A name for writing to a file that may only be read. */
static long by_hard_link(const struct world *world)
{
	long result = raw(SYS_link, world->twin ? "dirA/file" : "dirR/file", "dirM/got");

	return result < 0 ? result : raw_open("dirM/got", O_RDWR, 0);
}

static long by_link_of_descriptor(const struct world *world)
{
	char path[64];
	long result;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", open_readable(world, O_RDONLY));
	result = raw(SYS_linkat, AT_FDCWD, path, AT_FDCWD, "dirM/got", AT_SYMLINK_FOLLOW);
	return result < 0 ? result : raw_open("dirM/got", O_RDWR, 0);
}

const struct attack attacks_move[] = {
	{"move-directory", move_directory},
	{"move-directory-itself", move_directory_itself},
	{"move-to-dots", move_to_dots},
	{"move-to-more-dots", move_to_more_dots},
	{"move-exchange-dots", move_exchange_dots},
	{"move-by-dirfd", move_by_dirfd},
	{"move-exchange", move_exchange},
	{"move-exchange-back", move_exchange_back},
	{"move-leaving", move_leaving},
	{"move-aside", move_aside},
	{"held-fchmod", by_fchmod},
	{"held-fchown", by_fchown},
	{"held-fsetxattr", by_fsetxattr},
	{"held-fremovexattr", by_fremovexattr},
	{"held-utimensat", by_utimensat_null},
	{"held-futimesat", by_futimesat_null},
	{"held-empty-utimensat", by_empty_utimensat},
	{"held-empty-fchownat", by_empty_fchownat},
	{"held-empty-fchmodat2", by_empty_fchmodat2},
	{"held-proc-fd", by_proc_fd},
	{"held-proc-path", by_proc_path},
	{"held-proc-truncate", by_proc_truncate},
	{"held-removed", by_removed},
	{"held-hard-link", by_hard_link},
	{"held-link-of-descriptor", by_link_of_descriptor},
	{NULL, NULL},
};
