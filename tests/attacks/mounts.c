/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Denied files under the names of allowed ones, by mounts in a namespace of one's own: bound,
 * moved, renamed, made the root, reached through another process, put in place in the middle of a
 * call. The twin does the same with what is allowed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/attacks/attack.h"

#define OPEN_TREE_CLONE  1
#define MOVE_MOUNT_EMPTY 4 /* MOVE_MOUNT_F_EMPTY_PATH */

static void write_map(const char *file, const char *text)
{
	int fd = raw_open(file, O_WRONLY | O_CLOEXEC, 0);

	prepare(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !close(fd));
}

static void enter_as_user(void)
{
	char users[64], groups[64];

	snprintf(users, sizeof(users), "0 %u 1", geteuid());
	snprintf(groups, sizeof(groups), "0 %u 1", getegid());
	prepare(!raw(SYS_unshare, CLONE_NEWNS | CLONE_NEWUSER));
	write_map("/proc/self/uid_map", users);
	write_map("/proc/self/setgroups", "deny");
	write_map("/proc/self/gid_map", groups);
}

void mounts_enter(void)
{
	if (geteuid()) {
		enter_as_user();
	} else {
		prepare(!raw(SYS_unshare, CLONE_NEWNS));
	}
	prepare(!raw(SYS_mount, "none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static void bind_at(const char *what, const char *where)
{
	prepare(!raw(SYS_mount, what, where, NULL, MS_BIND, NULL));
}

static long read_only(const struct world *world, const char *path)
{
	return world_check(world, raw_open(path, O_RDONLY | O_CLOEXEC, 0));
}

/* By a descriptor, which nobody is asked about. */
static void go_to(const char *directory)
{
	int fd = raw_open(directory, O_PATH | O_CLOEXEC, 0);

	prepare(fd >= 0 && !raw(SYS_fchdir, fd) && !close(fd));
}

static long bound_twice(const struct world *world)
{
	mounts_enter();
	bind_at(world_directory(world), "dirM");
	bind_at("dirM", "dirR");
	return read_only(world, "dirR/file");
}

/* Over the very file that is allowed: for the twin over the denied one. */
static long bound_over(const struct world *world)
{
	mounts_enter();
	bind_at(world_file(world), "dirA/other");
	return read_only(world, "dirA/other");
}

static long moved(const struct world *world)
{
	mounts_enter();
	prepare(!mkdir("mounts-a", 0700) && !mkdir("mounts-b", 0700));
	bind_at(world_directory(world), "mounts-a");
	prepare(!raw(SYS_mount, "mounts-a", "mounts-b", NULL, MS_MOVE, NULL));
	return read_only(world, "mounts-b/file");
}

/* The directory that holds the mount gets another name. */
static long renamed(const struct world *world)
{
	mounts_enter();
	prepare(!mkdir("mounts-a", 0700) && !mkdir("mounts-a/m", 0700));
	bind_at(world_directory(world), "mounts-a/m");
	prepare(!raw(SYS_rename, "mounts-a", "mounts-b"));
	return read_only(world, "mounts-b/m/file");
}

static long in_memory(const struct world *world)
{
	char path[4096];

	mounts_enter();
	prepare(!raw(SYS_mount, "tmpfs", "dirM", "tmpfs", 0, NULL));
	snprintf(path, sizeof(path), "../%s", world_file(world));
	prepare(!raw(SYS_symlink, path, "dirM/link"));
	return read_only(world, "dirM/link");
}

/* A memory file system between two mounts of what is denied. */
static long bound_in_memory(const struct world *world)
{
	mounts_enter();
	prepare(!raw(SYS_mount, "tmpfs", "dirM", "tmpfs", 0, NULL));
	prepare(!mkdir("dirM/dirA", 0700));
	bind_at(world_directory(world), "dirM/dirA");
	return read_only(world, "dirM/dirA/file");
}

static long pivoted(const struct world *world)
{
	mounts_enter();
	bind_at(world_directory(world), world_directory(world));
	go_to(world_directory(world));
	prepare(!raw(SYS_pivot_root, ".", "."));
	return read_only(world, "/file");
}

static long pivoted_and_let_go(const struct world *world)
{
	mounts_enter();
	bind_at(world_directory(world), world_directory(world));
	go_to(world_directory(world));
	prepare(!raw(SYS_pivot_root, ".", ".") && !raw(SYS_umount2, ".", MNT_DETACH));
	return read_only(world, "/file");
}

/* A directory that was opened before, by its old name, in the old namespace. */
static long old_directory(const struct world *world)
{
	int directory = raw_open(world_directory(world), O_PATH | O_CLOEXEC, 0);

	prepare(directory >= 0);
	mounts_enter();
	return world_check(world, raw_openat(directory, "file", O_RDONLY, 0));
}

static long through_descriptor(const struct world *world)
{
	char path[64];

	mounts_enter();
	bind_at(world_file(world), "dirM/target");
	int fd = raw_open("dirM/target", O_PATH | O_CLOEXEC, 0);
	prepare(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return read_only(world, path);
}

static long through_directory(const struct world *world)
{
	mounts_enter();
	bind_at(world_directory(world), "dirM");
	go_to("dirM");
	return read_only(world, "file");
}

/* Says "go" by the pipe when the child stands in its own namespace with the mount in place. */
static pid_t child_with_mount(const struct world *world)
{
	char byte = 0;
	int ready[2];

	prepare(!pipe(ready));
	pid_t pid = fork();
	if (pid == 0) {
		mounts_enter();
		bind_at(world_directory(world), "dirM");
		if (write(ready[1], "g", 1) == 1) {
			pause();
		}
		_exit(0);
	}
	prepare(pid > 0 && read(ready[0], &byte, 1) == 1);
	return pid;
}

static long child_end(pid_t pid, long result)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return result;
}

static long child_root(const struct world *world)
{
	char path[8192];
	pid_t pid = child_with_mount(world);

	snprintf(path, sizeof(path), "/proc/%d/root%s/dirM/file", pid, world->directory);
	return child_end(pid, read_only(world, path));
}

static long child_directory(const struct world *world)
{
	char path[8192];
	pid_t pid = child_with_mount(world);

	snprintf(path, sizeof(path), "/proc/%d/cwd/dirM/file", pid);
	return child_end(pid, read_only(world, path));
}

/* setns(2) into the namespace of a process of the session, first into its user namespace. */
static long joined(const struct world *world)
{
	char path[64];
	pid_t pid = child_with_mount(world);
	int users, mounts;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	users = raw_open(path, O_RDONLY | O_CLOEXEC, 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	mounts = raw_open(path, O_RDONLY | O_CLOEXEC, 0);
	prepare(users >= 0 && mounts >= 0);
	prepare(geteuid() == 0 || !raw(SYS_setns, users, CLONE_NEWUSER));
	long result = raw(SYS_setns, mounts, CLONE_NEWNS);
	if (result == 0) {
		char file[8192];
		snprintf(file, sizeof(file), "%s/dirM/file", world->directory);
		result = read_only(world, file);
	}
	return child_end(pid, result);
}

/* A tree that was taken in one's own namespace, put into a place by its descriptor. */
static long attached(const struct world *world)
{
	mounts_enter();
	int tree = (int)raw(
		SYS_open_tree, AT_FDCWD, world_directory(world), OPEN_TREE_CLONE | O_CLOEXEC);
	prepare(tree >= 0);
	long result = raw_openat(tree, "file", O_RDONLY, 0);
	return world_check(world, (int)result);
}

static long written(const struct world *world)
{
	mounts_enter();
	bind_at(world_directory(world), "dirM");
	int fd = raw_open("dirM/file", O_WRONLY | O_APPEND | O_CLOEXEC, 0);
	return fd < 0 ? fd : write(fd, "x", 1) == 1 ? 0 : -errno;
}

static long created(const struct world *world)
{
	mounts_enter();
	bind_at(world_directory(world), "dirM");
	return raw_open("dirM/created", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static long removed(const struct world *world)
{
	mounts_enter();
	bind_at(world_directory(world), "dirM");
	return raw(SYS_unlink, "dirM/victim");
}

static long linked(const struct world *world)
{
	mounts_enter();
	bind_at(world->directory, "dirM");
	char path[64];
	snprintf(path, sizeof(path), "dirM/%s", world_file(world));
	long result = raw(SYS_link, path, "dirM/dirO/linked");
	return result ? result : read_only(world, "dirM/dirO/linked");
}

static long renamed_file(const struct world *world)
{
	char path[64];

	mounts_enter();
	bind_at(world->directory, "dirM");
	snprintf(path, sizeof(path), "dirM/%s/victim", world_directory(world));
	return raw(SYS_rename, path, "dirM/dirO/victim");
}

static long socket_bound(const struct world *world)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "dirM/target"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	mounts_enter();
	bind_at(world->twin ? "dirA/socket" : "dirS/socket", "dirM/target");
	return raw(SYS_connect, fd, &address, sizeof(address));
}

static void flip_mount(void *state)
{
	const struct world *world = state;

	raw(SYS_mount, world_file(world), "dirM/target", NULL, MS_BIND, NULL);
	sched_yield();
	raw(SYS_umount2, "dirM/target", MNT_DETACH);
}

static long attempt(void *state, const struct world *world)
{
	(void)state;
	return read_only(world, "dirM/target");
}

/* Mounted and gone again while the call is under way. The other file is "allowed", too. */
static long race_mount(const struct world *world)
{
	static const int expected[] = {EACCES, EPERM, 0};
	const struct race race = {.flip = flip_mount, .attempt = attempt, .state = (void *)world};

	mounts_enter();
	return race_run(&race, world, expected);
}

static void flip_directory(void *state)
{
	const struct world *world = state;

	raw(SYS_mount, world_directory(world), "mounts-a", NULL, MS_BIND, NULL);
	sched_yield();
	raw(SYS_mount, "mounts-a", "mounts-b", NULL, MS_MOVE, NULL);
	raw(SYS_umount2, "mounts-b", MNT_DETACH);
	raw(SYS_umount2, "mounts-a", MNT_DETACH);
}

static long attempt_moved(void *state, const struct world *world)
{
	long result = read_only(world, "mounts-a/file");

	(void)state;
	return result == -ENOENT ? -ESTALE : result;
}

static long race_move(const struct world *world)
{
	static const int expected[] = {EACCES, EPERM, 0};
	const struct race race = {
		.flip = flip_directory, .attempt = attempt_moved, .state = (void *)world};

	prepare(!mkdir("mounts-a", 0700) && !mkdir("mounts-b", 0700));
	mounts_enter();
	return race_run(&race, world, expected);
}

const struct attack attacks_mounts[] = {
	{"mount-bound-twice", bound_twice},
	{"mount-bound-over", bound_over},
	{"mount-moved", moved},
	{"mount-renamed", renamed},
	{"mount-memory-link", in_memory},
	{"mount-memory-bound", bound_in_memory},
	{"mount-pivoted", pivoted},
	{"mount-pivoted-let-go", pivoted_and_let_go},
	{"mount-old-directory", old_directory},
	{"mount-descriptor", through_descriptor},
	{"mount-directory", through_directory},
	{"mount-child-root", child_root},
	{"mount-child-directory", child_directory},
	{"mount-setns", joined},
	{"mount-attached", attached},
	{"mount-write", written},
	{"mount-create", created},
	{"mount-remove", removed},
	{"mount-link", linked},
	{"mount-rename", renamed_file},
	{"mount-socket", socket_bound},
	{"race-mount", race_mount},
	{"race-mount-move", race_move},
	{NULL, NULL},
};
