/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same file in another root or mount namespace, where it has another name. An ordinary user
 * makes a user namespace first. What matters is whether the secret is read, not at which step the
 * attack is stopped: the first errno is what is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/attacks/attack.h"

#define OPEN_TREE_CLONE  1
#define MOVE_MOUNT_EMPTY 4 /* MOVE_MOUNT_F_EMPTY_PATH */

static long enter(int flags)
{
	int wanted = flags | (geteuid() ? CLONE_NEWUSER : 0);

	return wanted ? raw(SYS_unshare, wanted) : 0;
}

static long read_only(const struct world *world, const char *path)
{
	return world_check(world, raw_open(path, O_RDONLY | O_CLOEXEC, 0));
}

static long change_root(const struct world *world)
{
	long result = enter(0);

	if (!result) {
		result = raw(SYS_chroot, world_directory(world));
	}
	return result ? result : read_only(world, "/file");
}

/* The root is changed, the working directory stays outside of it. */
static long outside_root(const struct world *world)
{
	long result = enter(0);

	if (!result) {
		result = raw(SYS_chroot, "dirR");
	}
	return result ? result : read_only(world, world_file(world));
}

static long bind_in_own_mounts(const char *what, const char *where)
{
	long result = enter(CLONE_NEWNS);

	if (result) {
		return result;
	}
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return raw(SYS_mount, what, where, NULL, MS_BIND, NULL);
}

static long bind_directory(const struct world *world)
{
	long result = bind_in_own_mounts(world_directory(world), "dirM");

	return result ? result : read_only(world, "dirM/file");
}

static long bind_file(const struct world *world)
{
	long result = bind_in_own_mounts(world_file(world), "dirM/target");

	return result ? result : read_only(world, "dirM/target");
}

static long tree_directory(const struct world *world)
{
	long result = enter(CLONE_NEWNS);
	int tree;

	if (result) {
		return result;
	}
	tree = (int)raw(
		SYS_open_tree, AT_FDCWD, world_directory(world), OPEN_TREE_CLONE | O_CLOEXEC);
	if (tree < 0) {
		return tree;
	}
	return world_check(world, raw_openat(tree, "file", O_RDONLY, 0));
}

static long tree_moved(const struct world *world)
{
	long result = enter(CLONE_NEWNS);
	int tree;

	if (result) {
		return result;
	}
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	tree = (int)raw(
		SYS_open_tree, AT_FDCWD, world_directory(world), OPEN_TREE_CLONE | O_CLOEXEC);
	result =
		tree < 0 ? tree : raw(SYS_move_mount, tree, "", AT_FDCWD, "dirM", MOVE_MOUNT_EMPTY);
	return result ? result : read_only(world, "dirM/file");
}

/* The whole tree once more, below another directory. */
static long bind_everything(const struct world *world)
{
	char path[4096];
	long result = enter(CLONE_NEWNS);

	if (!result) {
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
		result = raw(SYS_mount, "/", "dirM", NULL, MS_BIND | MS_REC, NULL);
	}
	snprintf(path, sizeof(path), "dirM/%s", world_file_absolute(world));
	return result ? result : read_only(world, path);
}

/* Another file system over it: the file is another one, its content is the same. */
static long overlay(const struct world *world)
{
	char options[4096];
	long result = enter(CLONE_NEWNS);

	if (!result) {
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
		snprintf(options, sizeof(options), "lowerdir=%s/%s:%s/dirM", world->directory,
			world_directory(world), world->directory);
		result = raw(SYS_mount, "overlay", "dirM", "overlay", 0, options);
	}
	return result ? result : read_only(world, "dirM/file");
}

/* The mount is gone, and only the descriptor knows where. */
static long detached_directory(const struct world *world)
{
	long result = bind_in_own_mounts(world_directory(world), "dirM");
	int directory;

	directory = result ? (int)result : (int)raw_open("dirM", O_PATH | O_CLOEXEC, 0);
	if (directory < 0) {
		return directory;
	}
	result = raw(SYS_umount2, "dirM", MNT_DETACH);
	return result ? result : world_check(world, raw_openat(directory, "file", O_RDONLY, 0));
}

/* A file is mounted over another one, held, taken off, and opened again by its descriptor. */
static long detached_file(const struct world *world)
{
	long result = bind_in_own_mounts(world_file(world), "dirM/target");
	char path[64];
	int file;

	file = result ? (int)result : (int)raw_open("dirM/target", O_PATH | O_CLOEXEC, 0);
	if (file < 0) {
		return file;
	}
	result = raw(SYS_umount2, "dirM/target", MNT_DETACH);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return result ? result : read_only(world, path);
}

const struct attack attacks_namespace[] = {
	{"namespace-chroot", change_root},
	{"namespace-outside-root", outside_root},
	{"namespace-bind-directory", bind_directory},
	{"namespace-bind-file", bind_file},
	{"namespace-bind-everything", bind_everything},
	{"namespace-open-tree", tree_directory},
	{"namespace-move-mount", tree_moved},
	{"namespace-overlay", overlay},
	{"namespace-detached-directory", detached_directory},
	{"namespace-detached-file", detached_file},
	{NULL, NULL},
};
