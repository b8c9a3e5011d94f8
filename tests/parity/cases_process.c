/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes: children of every kind, programs that nobody may read, namespaces of a process's own
 * and the way into others.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/parity.h"
#include "tests/parity/tree.h"

static void run_vfork(struct scene *scene)
{
	static int result, missing;
	pid_t pid = vfork();

	if (pid == 0) {
		result = raw_open("regular", O_RDONLY, 0);
		missing = raw_open("missing", O_RDONLY, 0);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	tell_result(scene, result);
	tell(scene, " missing ");
	tell_result(scene, missing);
	tell(scene, " parent ");
	tell_fd(scene, raw_open("regular", O_RDONLY, 0));
}

static void run_spawn(struct scene *scene)
{
	char *arguments[] = {
		"sh", "-c", "read a <regular; echo $a-$? >out; cat missing; exit 3", NULL};
	char *environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 2, "errors", O_WRONLY | O_CREAT, 0644);
	prepare(scene, !posix_spawn(&pid, "/bin/sh", &actions, NULL, arguments, environment));
	waitpid(pid, &status, 0);
	tell(scene, "status=%x", (unsigned int)status);
	tree_tell_changes(scene);
}

/* A program that its user may run and not read: nobody of this user can look into it either. */
static void run_unreadable(struct scene *scene)
{
	int status = -1;
	pid_t pid;

	prepare(scene, !system("cp /bin/cat program && chmod 0111 program"));
	pid = fork();
	if (pid == 0) {
		dup2(raw_open("out", O_WRONLY | O_CREAT, 0644), 1);
		execl("./program", "program", "regular", NULL);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	unlink("program");
	tell(scene, "status=%x", (unsigned int)status);
	tree_tell_changes(scene);
}

static int clone_child(void *pointer)
{
	int *result = pointer;

	*result = raw_open("inner", O_RDONLY, 0);
	return 0;
}

/* A process that shares its parent's directories and descriptors, but not its memory. */
static void run_clone_shared(struct scene *scene)
{
	static char stack[65536] __attribute__((aligned(16)));
	static int result;
	pid_t pid;

	prepare(scene, !chdir("dir"));
	pid = clone(clone_child, stack + sizeof(stack), CLONE_FS | CLONE_FILES | CLONE_VM | SIGCHLD,
		&result);
	prepare(scene, pid > 0);
	waitpid(pid, NULL, 0);
	tell_fd(scene, result);
}

static void run_namespaces(struct scene *scene)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID | (geteuid() ? CLONE_NEWUSER : 0))) {
		tell(scene, "unshare %s", observe_errno(errno));
		return;
	}
	pid = fork();
	if (pid == 0) {
		tell(scene, "pid=%d ", getpid());
		tell_fd(scene, raw_open("regular", O_RDWR, 0));
		tell(scene, " create ");
		tell_fd(scene, raw_open("new", O_RDWR | O_CREAT, 0644));
		tell(scene, " self ");
		tell_result(scene, raw_open("/proc/self/status", O_RDONLY, 0));
		tree_tell_changes(scene);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	scene->observation.used = strlen(scene->observation.text);
	tell(scene, " status=%x", (unsigned int)status);
}

static void write_file(struct scene *scene, const char *path, const char *text)
{
	int fd = raw_open(path, O_WRONLY, 0);

	tell(scene, " %s %s", path, fd < 0 ? observe_errno(-fd) : "opened");
	if (fd >= 0) {
		tell(scene, " write=%ld", raw(SYS_write, fd, text, strlen(text)));
		close(fd);
	}
}

/* As `unshare --user --map-root-user`: the process writes what it is called inside. */
static void run_user_namespace(struct scene *scene)
{
	char map[32];

	snprintf(map, sizeof(map), "0 %u 1", geteuid());
	if (unshare(CLONE_NEWUSER)) {
		tell(scene, "unshare %s", observe_errno(errno));
		return;
	}
	write_file(scene, "/proc/self/setgroups", "deny");
	write_file(scene, "/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", getegid());
	write_file(scene, "/proc/self/gid_map", map);
	tell(scene, " uid=%u gid=%u create ", getuid(), getgid());
	tell_fd(scene, raw_open("new", O_RDWR | O_CREAT, 0644));
}

/* The rights that a process has over its own files in a user namespace of its own. */
static void run_user_namespace_rights(struct scene *scene)
{
	run_user_namespace(scene);
	tell(scene, " forbidden ");
	tell_fd(scene, raw_open("forbidden", O_RDONLY, 0));
}

static void tell_own_status(struct scene *scene, const char *path)
{
	char data[4096] = "", *line;
	int fd = raw_open(path, O_RDONLY, 0);

	tell(scene, " %s ", path);
	tell_result(scene, fd);
	if (fd >= 0) {
		(void)!read(fd, data, sizeof(data) - 1);
		line = strstr(data, "\nPid:\t");
		tell(scene, " pid=%d", line ? atoi(line + 6) : -1);
		close(fd);
	}
}

/* As containers do it: a pid namespace with a /proc of its own. */
static void run_own_proc(struct scene *scene)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID | CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0))) {
		tell(scene, "unshare %s", observe_errno(errno));
		return;
	}
	pid = fork();
	if (pid == 0) {
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
		if (mount("proc", "/proc", "proc", 0, NULL)) {
			tell(scene, "mount %s", observe_errno(errno));
			_exit(0);
		}
		tell_own_status(scene, "/proc/self/status");
		tell_own_status(scene, "/proc/1/status");
		tell_own_status(scene, "/proc/thread-self/status");
		tell_own_status(scene, "/proc/2/status");
		tell(scene, " fd ");
		tell_fd(scene, raw_open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK, 0));
		tell(scene, " cwd ");
		tell_fd(scene, raw_open("/proc/self/cwd/regular", O_RDONLY, 0));
		tell(scene, " environ ");
		tell_result(scene, raw_open("/proc/1/environ", O_RDONLY, 0));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	scene->observation.used = strlen(scene->observation.text);
	tell(scene, " status=%x", (unsigned int)status);
}

static void tell_setns(struct scene *scene, const char *what, int fd, int flags)
{
	tell(scene, " %s ", what);
	tell_result(scene, raw(SYS_setns, fd, flags));
}

/* Who has one thread stays where he is; of several, nobody goes. */
static void *go_nowhere(void *pointer)
{
	struct scene *scene = pointer;
	int here = raw_open("/proc/self/ns/mnt", O_RDONLY, 0);
	int file = raw_open("regular", O_RDONLY, 0);
	int pidfd = (int)raw(SYS_pidfd_open, getpid(), 0);

	tell_setns(scene, "mounts", here, CLONE_NEWNS);
	tell_setns(scene, "any kind", here, 0);
	tell_setns(scene, "process", pidfd, CLONE_NEWNS);
	tell_setns(scene, "file", file, CLONE_NEWNS);
	tell_setns(scene, "nothing", 999, CLONE_NEWNS);
	return NULL;
}

static void run_setns(struct scene *scene)
{
	pthread_t thread;

	go_nowhere(scene);
	tell(scene, "; in a thread");
	prepare(scene, !pthread_create(&thread, NULL, go_nowhere, scene));
	pthread_join(thread, NULL);
}

static const struct {
	const char *name;
	case_function *function;
} process_cases[] = {
	{"process/vfork", run_vfork},
	{"process/spawn", run_spawn},
	{"process/unreadable-program", run_unreadable},
	{"process/setns", run_setns}, /* of which nothing is left after the next */
	{"process/clone-shared", run_clone_shared},
	{"process/pid-namespace", run_namespaces},
	{"process/user-namespace", run_user_namespace},
	{"process/user-namespace-rights", run_user_namespace_rights},
	{"process/own-proc", run_own_proc},
};

void cases_process(struct runner *runner)
{
	for (size_t i = 0; i < array_length(process_cases); i++) {
		runner_case(runner, process_cases[i].function, NULL, "%s", process_cases[i].name);
	}
}
