/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads and processes: directories and descriptors of a thread's own, many at once, both ends of
 * a FIFO, children of every kind.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/parity.h"
#include "tests/parity/settle.h"
#include "tests/parity/tree.h"

#define THREADS 8
#define ROUNDS  300

#define FIFOS_MAX 300

static void in_thread(struct scene *scene, void *(*function)(void *))
{
	pthread_t thread;

	prepare(scene, !pthread_create(&thread, NULL, function, scene));
	pthread_join(thread, NULL);
}

/* A thread that has left the shared directory sees its own; the first one still the old. */
static void *own_directory(void *pointer)
{
	struct scene *scene = pointer;

	prepare(scene, !unshare(CLONE_FS) && !chdir("dir"));
	umask(077);
	tell(scene, "thread inner ");
	tell_fd(scene, raw_open("inner", O_RDONLY, 0));
	tell(scene, " regular ");
	tell_fd(scene, raw_open("regular", O_RDONLY, 0));
	tell(scene, " cwd ");
	tell_fd(scene, raw_open("/proc/thread-self/cwd/inner", O_RDONLY, 0));
	tell(scene, " group's cwd ");
	tell_fd(scene, raw_open("/proc/self/cwd/inner", O_RDONLY, 0));
	tell(scene, " create ");
	tell_fd(scene, raw_open("new", O_RDWR | O_CREAT, 0666));
	return NULL;
}

static void run_own_directory(struct scene *scene)
{
	in_thread(scene, own_directory);
	tell(scene, " first inner ");
	tell_fd(scene, raw_open("inner", O_RDONLY, 0));
	tell(scene, " create ");
	tell_fd(scene, raw_open("new", O_RDWR | O_CREAT, 0666));
	tree_tell_changes(scene);
}

static void *own_table(void *pointer)
{
	struct scene *scene = pointer;

	prepare(scene, !unshare(CLONE_FILES) && !close(0));
	tell(scene, "thread ");
	tell_fd(scene, raw_open("regular", O_RDONLY, 0));
	tell(scene, " dirfd ");
	prepare(scene, raw_open("dir", O_RDONLY, 0) >= 0);
	tell_fd(scene, raw_openat(3, "inner", O_RDONLY, 0));
	tell(scene, " own fd ");
	tell_fd(scene, raw_open("/proc/thread-self/fd/0", O_RDONLY, 0));
	return NULL;
}

static void run_own_table(struct scene *scene)
{
	in_thread(scene, own_table);
	tell(scene, " first ");
	tell_fd(scene, raw_open("regular", O_RDONLY, 0));
	tell(scene, " dirfd ");
	tell_fd(scene, raw_openat(4, "inner", O_RDONLY, 0));
}

/* The thread's own ids: libc sets them for all threads, the kernel for one. */
static void *own_ids(void *pointer)
{
	struct scene *scene = pointer;

	if (geteuid() == 0) {
		prepare(scene, !raw(SYS_setresuid, 12345, 12345, 12345));
	}
	tell(scene, "thread ");
	tell_result(scene, raw_open("forbidden", O_RDONLY, 0));
	return NULL;
}

static void run_own_ids(struct scene *scene)
{
	in_thread(scene, own_ids);
	tell(scene, " first ");
	tell_result(scene, raw_open("forbidden", O_RDONLY, 0));
}

struct crowd {
	_Atomic unsigned int wrong;
	_Atomic unsigned int created;
};

static struct crowd crowd;

static void *crowd_member(void *pointer)
{
	int number = (int)(intptr_t)pointer;
	char name[32];

	for (int i = 0; i < ROUNDS; i++) {
		int fd = raw_open("regular", O_RDONLY | O_CLOEXEC, 0);
		char data[8] = "";

		crowd.wrong += fd < 0 || read(fd, data, 7) != 6 || strcmp(data, "hello\n") != 0 ||
			       close(fd);
		crowd.wrong += raw_open("missing", O_RDONLY, 0) != -ENOENT;
		snprintf(name, sizeof(name), "dir/%d-%d", number, i);
		fd = raw_open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		crowd.wrong += fd < 0 || close(fd);
		snprintf(name, sizeof(name), "sticky/%d", i);
		fd = raw_open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		crowd.created += fd >= 0;
		crowd.wrong += fd < 0 ? fd != -EEXIST : close(fd);
	}
	return NULL;
}

static void run_crowd(struct scene *scene)
{
	pthread_t threads[THREADS];

	for (intptr_t i = 0; i < THREADS; i++) {
		prepare(scene, !pthread_create(&threads[i], NULL, crowd_member, (void *)i));
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	tell(scene, "wrong=%u exclusively created=%u of %d", crowd.wrong, crowd.created, ROUNDS);
}

static void run_fifo_processes(struct scene *scene)
{
	char data[8] = "";
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		fd = raw_open("fifo", O_WRONLY, 0);
		_exit(fd < 0 || write(fd, "through", 7) != 7);
	}
	fd = raw_open("fifo", O_RDONLY, 0);
	tell_fd(scene, fd);
	tell(scene, " read=%ld %s", raw(SYS_read, fd, data, 7), data);
	waitpid(pid, NULL, 0);
	tell(scene, " end=%ld", raw(SYS_read, fd, data, 7));
}

static void *fifo_writer(void *pointer)
{
	const char *path = pointer;

	return (void *)(intptr_t)raw_open(path, O_WRONLY, 0);
}

/* Many FIFOs are waited for at once; others go on meanwhile. */
static void run_fifo_many(struct scene *scene)
{
	static char paths[FIFOS_MAX][16];
	static pthread_t threads[FIFOS_MAX];
	int count = *(const int *)scene->data;
	int met = 0;

	for (int i = 0; i < count; i++) {
		snprintf(paths[i], sizeof(paths[i]), "fifo%d", i);
		prepare(scene, !mkfifo(paths[i], 0600));
		prepare(scene, !pthread_create(&threads[i], NULL, fifo_writer, paths[i]));
	}
	tell(scene, "another=%d", raw_open("regular", O_RDONLY, 0) >= 0);
	for (int i = 0; i < count; i++) {
		void *fd;
		int reader = raw_open(paths[i], O_RDONLY, 0);

		pthread_join(threads[i], &fd);
		met += reader >= 0 && (intptr_t)fd >= 0;
	}
	tell(scene, " met=%d of %d", met, count);
}

static _Atomic bool swapping;

static void *swapper(void *pointer)
{
	(void)pointer;
	while (swapping) {
		raw(SYS_renameat2, AT_FDCWD, "dir/swapped", AT_FDCWD, "dir/other", RENAME_EXCHANGE);
	}
	return NULL;
}

/*
 * What looks like a file turns out to be a FIFO for which nobody comes: whoever opens it waits, all
 * others go on.
 */
static void run_fifo_swapped(struct scene *scene)
{
	pthread_t thread;
	pid_t waiting;
	int good = 0;

	prepare(scene, !mkfifo("dir/other", 0600) && !link("regular", "dir/swapped"));
	swapping = true;
	prepare(scene, !pthread_create(&thread, NULL, swapper, NULL));
	for (int i = 0; i < 20; i++) {
		waiting = fork();
		if (waiting == 0) {
			for (int k = 0; k < 1000; k++) {
				close(raw_open("dir/swapped", O_RDONLY, 0));
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 500; i++) {
		int fd = raw_open("regular", O_RDONLY, 0);

		good += fd >= 0 && !close(fd);
		usleep(500);
	}
	swapping = false;
	pthread_join(thread, NULL);
	tell(scene, "good=%d", good);
}

static void run_fifo_alone(struct scene *scene)
{
	tell_fd(scene, raw_open("fifo", O_RDONLY | O_NONBLOCK, 0));
	tell(scene, " write ");
	close(3);
	tell_result(scene, raw_open("fifo", O_WRONLY | O_NONBLOCK, 0));
	tell(scene, " both ");
	tell_fd(scene, raw_open("fifo", O_RDWR, 0));
}

/* Whoever waits in an open and is killed leaves nothing behind that another could meet. */
static void run_fifo_killed(struct scene *scene)
{
	pid_t pid = fork();

	if (pid == 0) {
		raw_open("fifo", O_RDONLY, 0);
		_exit(0);
	}
	settle_asleep(pid);
	settle();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	settle();
	tell_result(scene, raw_open("fifo", O_WRONLY | O_NONBLOCK, 0));
}

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
	go_nowhere(scene);
	tell(scene, "; in a thread");
	in_thread(scene, go_nowhere);
}

struct thread_case {
	const char *name;
	case_function *function;
	int data;
};

static const struct thread_case threads_cases[] = {
	{"thread/own-directory", run_own_directory},
	{"thread/own-descriptors", run_own_table},
	{"thread/own-ids", run_own_ids},
	{"thread/crowd", run_crowd},
	{"fifo/two-processes", run_fifo_processes},
	{"fifo/forty", run_fifo_many, 40},
	{"fifo/three-hundred", run_fifo_many, FIFOS_MAX},
	{"fifo/swapped", run_fifo_swapped, 0},
	{"fifo/alone", run_fifo_alone},
	{"fifo/killed", run_fifo_killed},
	{"process/vfork", run_vfork},
	{"process/spawn", run_spawn},
	{"process/unreadable-program", run_unreadable},
	{"process/setns", run_setns}, /* of which nothing is left after the next */
	{"process/clone-shared", run_clone_shared},
	{"process/pid-namespace", run_namespaces},
	{"process/user-namespace", run_user_namespace},
	{"process/user-namespace-rights", run_user_namespace_rights, 0},
	{"process/own-proc", run_own_proc},
};

void cases_thread(struct runner *runner)
{
	for (size_t i = 0; i < array_length(threads_cases); i++) {
		runner_case(runner, threads_cases[i].function, &threads_cases[i].data, "%s",
			threads_cases[i].name);
	}
}
