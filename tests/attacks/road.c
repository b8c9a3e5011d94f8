/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file by many names: links, dots, descriptors, working directories, /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/attacks/attack.h"

static long open_format(const struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static long open_format(const struct world *world, const char *format, ...)
{
	char path[8192];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	return world_check(world, raw_open(path, O_RDONLY | O_CLOEXEC, 0));
}

static long absolute(const struct world *world)
{
	return open_format(world, "%s", world_file_absolute(world));
}

static long relative(const struct world *world)
{
	return open_format(world, "%s", world_file(world));
}

static long dots(const struct world *world)
{
	return open_format(world, "dirA/../%s/.//../%s", world_directory(world), world_file(world));
}

static long slashes(const struct world *world)
{
	return open_format(world, "////%s", world_file_absolute(world));
}

static long above_root(const struct world *world)
{
	return open_format(world, "/../../../..%s", world_file_absolute(world));
}

static long many_dots(const struct world *world)
{
	char path[4096] = "";

	while (strlen(path) < 3900) {
		strcat(path, "./dirA/../");
	}
	return open_format(world, "%s%s", path, world_file(world));
}

static long link_to_file(const struct world *world)
{
	prepare(!symlink(world_file(world), "road-link"));
	return open_format(world, "road-link");
}

static long link_to_directory(const struct world *world)
{
	prepare(!symlink(world_directory(world), "road-dirlink"));
	return open_format(world, "road-dirlink/file");
}

static long link_chain(const struct world *world)
{
	prepare(!symlink("dirA/../road-2", "road-1") && !symlink("road-3/file", "road-2") &&
		!symlink(world_directory(world), "road-3"));
	return open_format(world, "road-1");
}

static long link_created_through(const struct world *world)
{
	char target[64];

	snprintf(target, sizeof(target), "%s/created", world_directory(world));
	prepare(!symlink(target, "road-create"));
	return raw_open("road-create", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long proc_cwd(const struct world *world)
{
	return open_format(world, "/proc/self/cwd/%s", world_file(world));
}

static long proc_root(const struct world *world)
{
	return open_format(world, "/proc/self/root%s", world_file_absolute(world));
}

static long proc_thread_root(const struct world *world)
{
	return open_format(
		world, "/proc/thread-self/root/proc/self/root%s", world_file_absolute(world));
}

static int path_descriptor(const char *path)
{
	int fd = raw_open(path, O_PATH | O_CLOEXEC, 0);

	prepare(fd >= 0);
	return fd;
}

static long reopen_self(const struct world *world)
{
	return open_format(world, "/proc/self/fd/%d", path_descriptor(world_file(world)));
}

static long reopen_dev(const struct world *world)
{
	return open_format(world, "/dev/fd/%d", path_descriptor(world_file(world)));
}

static long reopen_thread(const struct world *world)
{
	return open_format(world, "/proc/thread-self/fd/%d", path_descriptor(world_file(world)));
}

static long reopen_task(const struct world *world)
{
	return open_format(world, "/proc/%d/task/%d/fd/%d", getpid(), gettid(),
		path_descriptor(world_file(world)));
}

static long reopen_through_link(const struct world *world)
{
	char target[64];

	snprintf(target, sizeof(target), "/proc/self/fd/%d", path_descriptor(world_file(world)));
	prepare(!symlink(target, "road-fd"));
	return open_format(world, "road-fd");
}

static long reopen_relative(const struct world *world)
{
	int fd = path_descriptor(world_file(world)), directory = path_descriptor("/proc/self/fd");
	char name[16];

	snprintf(name, sizeof(name), "%d", fd);
	return world_check(world, raw_openat(directory, name, O_RDONLY, 0));
}

static long reopen_openat2(const struct world *world)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", path_descriptor(world_file(world)));
	return world_check(world, raw_openat2(AT_FDCWD, name, O_RDONLY, 0, 0));
}

static pid_t child_make(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	prepare(pid > 0);
	return pid;
}

static long child_end(pid_t pid, long result)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return result;
}

/* Another process of the session holds the descriptor. */
static long reopen_child(const struct world *world)
{
	int fd = path_descriptor(world_file(world));
	pid_t pid = child_make();

	return child_end(pid, open_format(world, "/proc/%d/fd/%d", pid, fd));
}

static long proc_child_root(const struct world *world)
{
	pid_t pid = child_make();

	return child_end(
		pid, open_format(world, "/proc/%d/root%s", pid, world_file_absolute(world)));
}

static long proc_child_cwd(const struct world *world)
{
	pid_t pid = child_make();

	return child_end(pid, open_format(world, "/proc/%d/cwd/%s", pid, world_file(world)));
}

static long dirfd_path(const struct world *world)
{
	return world_check(
		world, raw_openat(path_descriptor(world_directory(world)), "file", O_RDONLY, 0));
}

static long dirfd_above(const struct world *world)
{
	return world_check(
		world, raw_openat(path_descriptor("dirA"),
			       world->twin ? "../dirA/file" : "../dirS/file", O_RDONLY, 0));
}

static long changed_directory(const struct world *world)
{
	prepare(!fchdir(path_descriptor(world_directory(world))));
	return open_format(world, "file");
}

static long changed_by_descriptor(const struct world *world)
{
	prepare(!fchdir(path_descriptor(world_directory(world))));
	return open_format(world, "./file");
}

static void *thread_of_its_own(void *pointer)
{
	const struct world *world = pointer;

	prepare(!unshare(CLONE_FS) && !fchdir(path_descriptor(world_directory(world))));
	return (void *)open_format(world, "file");
}

static long thread_directory(const struct world *world)
{
	pthread_t thread;
	void *result;

	prepare(!pthread_create(&thread, NULL, thread_of_its_own, (void *)world));
	pthread_join(thread, &result);
	return (long)result;
}

/* A thread whose descriptors are its own: the number means another directory than in the group. */
static void *thread_with_own_table(void *pointer)
{
	const struct world *world = pointer;

	prepare(!unshare(CLONE_FILES) && dup2(path_descriptor(world_directory(world)), 200) == 200);
	return (void *)world_check(world, raw_openat(200, "file", O_RDONLY, 0));
}

static long thread_descriptor(const struct world *world)
{
	pthread_t thread;
	void *result;

	prepare(dup2(path_descriptor("dirA"), 200) == 200);
	prepare(!pthread_create(&thread, NULL, thread_with_own_table, (void *)world));
	pthread_join(thread, &result);
	return (long)result;
}

static long in_root(const struct world *world)
{
	char path[64];

	snprintf(path, sizeof(path), "/../%s", world_file(world));
	return world_check(
		world, raw_openat2(path_descriptor("."), path, O_RDONLY, 0, RESOLVE_IN_ROOT));
}

static long in_root_of_directory(const struct world *world)
{
	return world_check(world, raw_openat2(path_descriptor(world_directory(world)), "/file",
					  O_RDONLY, 0, RESOLVE_IN_ROOT));
}

static long beneath(const struct world *world)
{
	return world_check(world,
		raw_openat2(path_descriptor("."), world_file(world), O_RDONLY, 0, RESOLVE_BENEATH));
}

const struct attack attacks_road[] = {
	{"road-absolute", absolute},
	{"road-relative", relative},
	{"road-dots", dots},
	{"road-slashes", slashes},
	{"road-above-root", above_root},
	{"road-many-dots", many_dots},
	{"road-link", link_to_file},
	{"road-link-directory", link_to_directory},
	{"road-link-chain", link_chain},
	{"road-link-create", link_created_through},
	{"road-proc-cwd", proc_cwd},
	{"road-proc-root", proc_root},
	{"road-proc-thread-root", proc_thread_root},
	{"road-proc-child-root", proc_child_root},
	{"road-proc-child-cwd", proc_child_cwd},
	{"road-reopen-self", reopen_self},
	{"road-reopen-dev-fd", reopen_dev},
	{"road-reopen-thread-self", reopen_thread},
	{"road-reopen-task", reopen_task},
	{"road-reopen-link", reopen_through_link},
	{"road-reopen-relative", reopen_relative},
	{"road-reopen-openat2", reopen_openat2},
	{"road-reopen-child", reopen_child},
	{"road-dirfd", dirfd_path},
	{"road-dirfd-above", dirfd_above},
	{"road-chdir", changed_directory},
	{"road-fchdir", changed_by_descriptor},
	{"road-thread-directory", thread_directory},
	{"road-thread-descriptor", thread_descriptor},
	{"road-in-root", in_root},
	{"road-in-root-directory", in_root_of_directory},
	{"road-beneath", beneath},
	{NULL, NULL},
};
