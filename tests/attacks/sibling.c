/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same thing by another call, or with other flags: to read, to write, to truncate, to create.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/attacks/attack.h"

static const char *created(const struct world *world)
{
	return world->twin ? "dirA/created" : "dirS/created";
}

/* What may be read but not written; for the twin, what may be both. */
static const char *readable(const struct world *world)
{
	return world->twin ? "dirA/file" : "dirR/file";
}

static long by_open(const struct world *world)
{
	return world_check(world, raw_open(world_file(world), O_RDONLY, 0));
}

static long by_openat(const struct world *world)
{
	return world_check(world, raw_openat(AT_FDCWD, world_file(world), O_RDONLY, 0));
}

static long by_openat2(const struct world *world)
{
	return world_check(world, raw_openat2(AT_FDCWD, world_file(world), O_RDONLY, 0, 0));
}

static long creat_new(const struct world *world)
{
	return raw(SYS_creat, created(world), 0600);
}

static long creat_existing(const struct world *world)
{
	return raw(SYS_creat, world->twin ? "dirA/other" : "dirR/file", 0600);
}

static long create(const struct world *world)
{
	return raw_open(created(world), O_RDWR | O_CREAT | O_EXCL, 0600);
}

static long create_to_read(const struct world *world)
{
	return raw_openat(AT_FDCWD, created(world), O_RDONLY | O_CREAT, 0600);
}

static long create_by_openat2(const struct world *world)
{
	return raw_openat2(AT_FDCWD, created(world), O_RDWR | O_CREAT, 0600, 0);
}

static long temporary(const struct world *world)
{
	return raw_open(world_directory(world), O_RDWR | O_TMPFILE, 0600);
}

static long write_only(const struct world *world)
{
	return raw_open(readable(world), O_WRONLY, 0);
}

static long read_write(const struct world *world)
{
	return raw_openat(AT_FDCWD, readable(world), O_RDWR, 0);
}

static long read_write_by_openat2(const struct world *world)
{
	return raw_openat2(AT_FDCWD, readable(world), O_RDWR, 0, 0);
}

static long append(const struct world *world)
{
	return raw_open(readable(world), O_WRONLY | O_APPEND, 0);
}

/* Truncates although it is opened for reading. */
static long truncate_reading(const struct world *world)
{
	return raw_open(world->twin ? "dirA/other" : "dirR/file", O_RDONLY | O_TRUNC, 0);
}

/* Access mode 3 wants read and write rights, and gives a descriptor for ioctl. */
static long access_mode_3(const struct world *world)
{
	return raw_open(readable(world), O_ACCMODE, 0);
}

/* An allowed descriptor for reading is opened again for writing. */
static long reopen_for_writing(const struct world *world)
{
	int fd = raw_open(readable(world), O_RDONLY, 0);
	char path[64];

	prepare(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return raw_open(path, O_RDWR, 0);
}

/* The upper half of a register does not count for the kernel. */
static long upper_half(const struct world *world)
{
	return raw(SYS_openat, (1ul << 32) | (unsigned int)AT_FDCWD, readable(world),
		(1ul << 32) | O_RDWR, 0);
}

static long directory(const struct world *world)
{
	return raw_open(world_directory(world), O_RDONLY | O_DIRECTORY, 0);
}

/* The kernel makes it where the program dies. */
static void die_in(const char *directory)
{
	struct rlimit limit;

	if (!chdir(directory) && !getrlimit(RLIMIT_CORE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_CORE, &limit);
		abort();
	}
	_exit(1);
}

static long core_file(const struct world *world)
{
	char pattern[2] = "";
	int status, fd = raw_open("/proc/sys/kernel/core_pattern", O_RDONLY, 0);

	prepare(fd >= 0 && read(fd, pattern, 1) == 1);
	if (pattern[0] != 'c') {
		attack_impossible("core files go elsewhere");
	}
	pid_t pid = fork();
	if (pid == 0) {
		die_in(world_directory(world));
	}
	prepare(pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	return WCOREDUMP(status) ? 0 : -EACCES;
}

/* As chattr(1) does it, which is a change of metadata. */
static long flags(const struct world *world)
{
	long flags = 0;
	int fd = raw_open(readable(world), O_RDONLY, 0);

	prepare(fd >= 0);
	long result = raw(SYS_ioctl, fd, FS_IOC_GETFLAGS, &flags);
	if (result < 0) {
		attack_impossible("a file system without such flags");
	}
	flags ^= FS_NODUMP_FL;
	return raw(SYS_ioctl, fd, FS_IOC_SETFLAGS, &flags);
}

/* What a handle of it says. */
static long version(const struct world *world)
{
	int number = 0;
	int fd = raw_open(readable(world), O_RDONLY, 0);

	prepare(fd >= 0);
	long result = raw(SYS_ioctl, fd, FS_IOC_GETVERSION, &number);
	if (result == -ENOTTY || result == -EOPNOTSUPP) {
		attack_impossible("a file system without versions");
	}
	number++;
	return raw(SYS_ioctl, fd, FS_IOC_SETVERSION, &number);
}

const struct attack attacks_sibling[] = {
	{"sibling-open", by_open},
	{"sibling-openat", by_openat},
	{"sibling-openat2", by_openat2},
	{"sibling-creat-new", creat_new},
	{"sibling-creat-existing", creat_existing},
	{"sibling-create", create},
	{"sibling-create-to-read", create_to_read},
	{"sibling-create-openat2", create_by_openat2},
	{"sibling-tmpfile", temporary},
	{"sibling-write", write_only},
	{"sibling-read-write", read_write},
	{"sibling-read-write-openat2", read_write_by_openat2},
	{"sibling-append", append},
	{"sibling-truncate-reading", truncate_reading},
	{"sibling-access-mode-3", access_mode_3},
	{"sibling-reopen-for-writing", reopen_for_writing},
	{"sibling-upper-half", upper_half},
	{"sibling-directory", directory},
	{"sibling-core", core_file},
	{"sibling-flags", flags},
	{"sibling-version", version},
	{NULL, NULL},
};
