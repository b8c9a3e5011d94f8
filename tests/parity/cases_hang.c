/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that wait for ever, and ends that come from outside: SIGKILL, exec by another thread, a
 * cancelled thread. What waits is an open of a FIFO, or any call on a FUSE file system that nobody
 * serves (mounts.h), which wakes for nothing but a deadly signal.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/mounts.h"
#include "tests/parity/parity.h"
#include "tests/parity/settle.h"

#define PATIENCE_MS 30000 /* less than a case has */
#define OPENS       50

struct hanging_call {
	const char *name;
	long (*make)(const char *path);
};

static long call_open(const char *path)
{
	return raw_open(path, O_RDONLY, 0);
}

static long call_create(const char *path)
{
	return raw_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
}

static long call_stat(const char *path)
{
	struct stat st;

	return raw(SYS_newfstatat, AT_FDCWD, path, &st, 0);
}

static long call_access(const char *path)
{
	return raw(SYS_access, path, F_OK);
}

static long call_mkdir(const char *path)
{
	return raw(SYS_mkdir, path, 0755);
}

static long call_unlink(const char *path)
{
	return raw(SYS_unlink, path);
}

static long call_chmod(const char *path)
{
	return raw(SYS_chmod, path, 0600);
}

static long call_rename(const char *path)
{
	char new_name[PATH_MAX + 8];

	snprintf(new_name, sizeof(new_name), "%s-new", path);
	return raw(SYS_rename, path, new_name);
}

static const struct hanging_call calls[] = {
	{"open", call_open},
	{"create", call_create},
	{"stat", call_stat},
	{"access", call_access},
	{"mkdir", call_mkdir},
	{"unlink", call_unlink},
	{"chmod", call_chmod},
	{"rename", call_rename},
};

struct hanging {
	const struct hanging_call *call;
	char path[PATH_MAX];
};

static void find_path(struct hanging *hanging, bool on_fuse)
{
	static unsigned int number;

	if (on_fuse) {
		snprintf(hanging->path, sizeof(hanging->path), "%s/hanging/x%d-%u",
			mounts_directory(), getpid(), number++);
	} else {
		snprintf(hanging->path, sizeof(hanging->path), "fifo");
	}
}

static void *hang(void *pointer)
{
	const struct hanging *hanging = pointer;

	return (void *)hanging->call->make(hanging->path);
}

/* How a child ended, if it did. */
static void tell_end(struct scene *scene, pid_t pid)
{
	cleanup_fd int pidfd = (int)raw(SYS_pidfd_open, pid, 0);
	struct pollfd poller = {.fd = pidfd, .events = POLLIN};
	int status = 0;

	if (poll(&poller, 1, PATIENCE_MS) != 1) {
		tell(scene, " does not end");
		return;
	}
	waitpid(pid, &status, 0);
	tell(scene, " status=%x", (unsigned int)status);
}

static bool is_running(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

/* One at a time: a name that is looked up there locks its directory against all others. */
static void run_killed(struct scene *scene)
{
	struct hanging hanging = {.call = scene->data};
	pid_t pid;

	find_path(&hanging, true);
	pid = fork();
	if (pid == 0) {
		_exit(hang(&hanging) == NULL);
	}
	settle_asleep(pid);
	settle();
	tell(scene, "waits=%d", is_running(pid));
	kill(pid, SIGKILL);
	tell_end(scene, pid);
}

/* Another thread executes a program while one waits: the one is gone, the program runs. */
static void exec_beside(struct scene *scene, bool on_fuse)
{
	struct hanging hanging = {.call = &calls[0]};
	pid_t pid = fork();
	pthread_t thread;

	if (pid == 0) {
		find_path(&hanging, on_fuse);
		if (!pthread_create(&thread, NULL, hang, &hanging)) {
			settle();
			execl("/bin/sh", "sh", "-c", "read a <regular; test $a = hello && exit 5",
				NULL);
		}
		_exit(99);
	}
	tell_end(scene, pid);
	tell(scene, " regular ");
	tell_fd(scene, raw_open("regular", O_RDONLY, 0));
}

static void run_exec_fifo(struct scene *scene)
{
	exec_beside(scene, false);
}

static void run_exec_fuse(struct scene *scene)
{
	exec_beside(scene, true);
}

/* Whoever hangs holds up nobody else, not in his own process either. */
static void run_beside(struct scene *scene)
{
	struct hanging hanging[array_length(calls)];
	pthread_t thread;
	int found = 0;

	for (size_t i = 0; i < array_length(calls); i++) {
		hanging[i].call = &calls[i];
		find_path(&hanging[i], true);
		prepare(scene, !pthread_create(&thread, NULL, hang, &hanging[i]));
	}
	settle();
	for (int i = 0; i < OPENS; i++) {
		int fd = raw_open("regular", O_RDONLY, 0);

		found += fd >= 0;
		close(fd);
	}
	tell(scene, "found=%d", found);
}

void cases_hang(struct runner *runner)
{
	runner_case(runner, run_exec_fifo, NULL, "hang/exec/fifo");
	if (!mounts_directory()) {
		return;
	}
	runner_case(runner, run_exec_fuse, NULL, "hang/exec/fuse");
	runner_case(runner, run_beside, NULL, "hang/beside/fuse");
	for (size_t i = 0; i < array_length(calls); i++) {
		runner_case(runner, run_killed, &calls[i], "hang/killed/%s", calls[i].name);
	}
}
