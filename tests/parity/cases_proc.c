/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc and /dev as the caller sees them: its own status, program, descriptors, environment,
 * terminal. Contents that name the process are told only as far as they name the right one.
 */
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/parity.h"
#include "tests/parity/tree.h"

static const char *const own_files[] = {"status", "exe", "cwd", "cwd/regular", "root",
	"root/dev/null", "environ", "maps", "mem", "cmdline", "comm", "stat", "limits", "mountinfo",
	"mounts", "fd", "fdinfo", "ns/mnt", "ns/user", "net/dev", "task", "oom_score_adj", "auxv",
	"uid_map", "attr/current", "missing"};

static const char *const roads[] = {"/proc/self", "/proc/thread-self", "/proc/%d",
	"/proc/self/task/%d", "/proc/%d/task/%d", "/proc/self/root/proc/self", "self", "thread",
	"/dev/fd/..", "/proc/self/cwd/self", "/proc//self/.", "/proc/1/../self"};

struct proc_case {
	const char *road, *file;
};

/* That a file of /proc is the caller's own: what it says of pid, name and environment. */
static void tell_owner(struct scene *scene, int fd, const char *file)
{
	char data[65536] = "", pid[32];
	ssize_t got = read(fd, data, sizeof(data) - 1);

	snprintf(pid, sizeof(pid), "%d", getpid());
	if (got < 0) {
		tell(scene, " read=%s", observe_errno(errno));
	} else if (!strcmp(file, "status")) {
		char *line = strstr(data, "\nTgid:\t");

		tell(scene, " own=%d", line && atoi(line + 7) == getpid());
		line = strstr(data, "\nUmask:");
		tell(scene, " %.12s", line ? line + 1 : "");
	} else if (!strcmp(file, "stat")) {
		tell(scene, " own=%d", atoi(data) == getpid());
	} else if (!strcmp(file, "comm")) {
		tell(scene, " %s", data[0] ? strtok(data, "\n") : "");
	} else if (!strcmp(file, "environ")) {
		tell(scene, " mine=%d", memmem(data, (size_t)got, "PARITY_MARK=1", 13) != NULL);
	} else if (!strcmp(file, "cmdline")) {
		char *slash = strrchr(data, '/');

		tell(scene, " %s", slash ? slash + 1 : data);
	} else if (!strcmp(file, "maps")) {
		tell(scene, " parity=%d", strstr(data, "/parity\n") != NULL);
	}
}

static void run_own(struct scene *scene)
{
	const struct proc_case *test = scene->data;
	char road[128], path[256];
	int fd;

	prepare(scene, !symlink("/proc/self", "self") && !symlink("/proc/thread-self", "thread"));
	snprintf(road, sizeof(road), test->road, getpid(), getpid());
	snprintf(path, sizeof(path), "%s/%s", road, test->file);
	fd = raw_open(path, O_RDONLY | O_NONBLOCK, 0);
	tell_result(scene, fd);
	if (fd >= 0) {
		struct stat st;

		prepare(scene, !fstat(fd, &st));
		tell(scene, " %s %o", observe_type(st.st_mode), st.st_mode & 07777);
		tell_owner(scene, fd, test->file);
	}
}

static void run_write_own(struct scene *scene)
{
	int fd = raw_open("/proc/self/comm", O_WRONLY, 0);
	char name[32] = "";

	tell_fd(scene, fd);
	tell(scene, " write=%ld", raw(SYS_write, fd, "renamed", 7));
	pthread_getname_np(pthread_self(), name, sizeof(name));
	tell(scene, " %s mem ", name);
	tell_fd(scene, raw_open("/proc/self/mem", O_RDWR, 0));
	tell(scene, " oom ");
	tell_fd(scene, raw_open("/proc/self/oom_score_adj", O_RDWR | O_TRUNC, 0));
	tell(scene, " status ");
	tell_result(scene, raw_open("/proc/self/status", O_WRONLY, 0));
	tell(scene, " create ");
	tell_result(scene, raw_open("/proc/self/new", O_WRONLY | O_CREAT, 0600));
}

/* Calls on a directory that may not be searched, by the link of a descriptor to it. */
static void run_shut_directory(struct scene *scene)
{
	static const char *const ends[] = {"", "/", "/.", "/x"};
	struct stat st;
	char path[64];

	prepare(scene, !mkdir("shut", 0));
	int fd = raw_open("shut", O_PATH, 0);
	for (size_t i = 0; i < array_length(ends); i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d%s", fd, ends[i]);
		tell(scene, "[%s] open ", ends[i]);
		tell_result(scene, raw_open(path, O_RDONLY, 0));
		tell(scene, " create ");
		tell_result(scene, raw_open(path, O_RDONLY | O_CREAT, 0600));
		tell(scene, " stat ");
		tell_result(scene, raw(SYS_stat, path, &st));
		tell(scene, " utime ");
		tell_result(scene, raw(SYS_utime, path, NULL));
		tell(scene, " mkdir ");
		tell_result(scene, raw(SYS_mkdir, path, 0755));
		tell(scene, " truncate ");
		tell_result(scene, raw(SYS_truncate, path, 0L));
		tell(scene, " chmod ");
		tell_result(scene, raw(SYS_chmod, path, 0));
	}
	tree_tell_changes(scene);
}

/* The entry of a process outside is looked at, by a descriptor that opens nothing. */
static void run_other_entry(struct scene *scene)
{
	int proc = raw_open("/proc", O_PATH | O_DIRECTORY, 0);
	struct stat st;

	tell_result(scene, raw(SYS_openat, proc, "1", O_PATH | O_NOFOLLOW));
	tell(scene, " file ");
	tell_result(scene, raw_open("/proc/1/status", O_PATH, 0));
	tell(scene, " stat ");
	tell_result(scene, raw(SYS_stat, "/proc/1", &st));
	tell(scene, " missing ");
	tell_result(scene, raw_open("/proc/1/none", O_PATH, 0));
}

static int deleted_file(struct scene *scene)
{
	int fd = raw_open("regular", O_RDWR, 0);

	prepare(scene, fd >= 0 && !unlink("regular"));
	return fd;
}

static int read_only_file(struct scene *scene)
{
	(void)scene;
	return raw_open("regular", O_RDONLY, 0);
}

static int path_file(struct scene *scene)
{
	(void)scene;
	return raw_open("regular", O_PATH, 0);
}

static int path_link(struct scene *scene)
{
	(void)scene;
	return raw_open("link", O_PATH | O_NOFOLLOW, 0);
}

static int unnamed_file(struct scene *scene)
{
	(void)scene;
	return raw_open(".", O_TMPFILE | O_RDWR, 0600);
}

static int memory_file(struct scene *scene)
{
	(void)scene;
	return memfd_create("parity", 0);
}

static int sealed_memory(struct scene *scene)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING);

	prepare(scene, !fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	return fd;
}

static int pipe_reader(struct scene *scene)
{
	int ends[2];

	prepare(scene, !pipe(ends));
	return ends[0];
}

static int pipe_writer(struct scene *scene)
{
	int ends[2];

	prepare(scene, !pipe(ends));
	return ends[1];
}

static int stream_socket(struct scene *scene)
{
	(void)scene;
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int directory(struct scene *scene)
{
	(void)scene;
	return raw_open("dir", O_RDONLY, 0);
}

static int device(struct scene *scene)
{
	(void)scene;
	return raw_open("/dev/null", O_RDONLY, 0);
}

static int not_open(struct scene *scene)
{
	(void)scene;
	return 99;
}

struct fd_case {
	const char *name;
	int (*make)(struct scene *scene);
};

static const struct fd_case fds[] = {
	{"read-only", read_only_file},
	{"deleted", deleted_file},
	{"O_PATH", path_file},
	{"O_PATH-link", path_link},
	{"unnamed", unnamed_file},
	{"memfd", memory_file},
	{"sealed-memfd", sealed_memory},
	{"pipe-reader", pipe_reader},
	{"pipe-writer", pipe_writer},
	{"socket", stream_socket},
	{"directory", directory},
	{"device", device},
	{"not-open", not_open},
};

static const char *const fd_roads[] = {"/proc/self/fd/%d", "/dev/fd/%d", "/proc/thread-self/fd/%d"};
static const int fd_flags[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_TRUNC,
	O_RDONLY | O_NOFOLLOW, O_RDONLY | O_DIRECTORY, O_RDWR | O_CREAT | O_EXCL, O_PATH};

static void run_fd(struct scene *scene)
{
	const struct fd_case *test = scene->data;
	int fd = test->make(scene);
	char path[64];

	for (size_t r = 0; r < array_length(fd_roads); r++) {
		snprintf(path, sizeof(path), fd_roads[r], fd);
		for (size_t f = 0; f < array_length(fd_flags); f++) {
			tell(scene, " %s/%o ", fd_roads[r], (unsigned int)fd_flags[f]);
			tell_fd(scene, raw_open(path, fd_flags[f] | O_NONBLOCK, 0600));
		}
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d/inner", fd);
	tell(scene, " below ");
	tell_fd(scene, raw_open(path, O_RDONLY, 0));
	tree_tell_changes(scene);
}

static void run_standard(struct scene *scene)
{
	static const char *const paths[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd",
		"/dev/fd/0", "/dev/fd/1", "/proc/self/fd/2", "/dev/fd/", "/dev/fd/.", "/dev/fd/00"};
	int fd = raw_open("regular", O_RDWR, 0);

	prepare(scene, dup2(fd, 0) == 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2);
	for (size_t i = 0; i < array_length(paths); i++) {
		tell(scene, " %s ", paths[i]);
		tell_fd(scene, raw_open(paths[i], O_RDONLY, 0));
	}
	close(0);
	tell(scene, " closed ");
	tell_fd(scene, raw_open("/dev/stdin", O_RDONLY, 0));
}

/* The lowest free number is the one that is given. */
static void run_lowest(struct scene *scene)
{
	close(0);
	tell_fd(scene, raw_open("regular", O_RDONLY, 0));
	close(2);
	tell(scene, " then ");
	tell_fd(scene, raw_open("regular", O_RDONLY, 0));
	tell(scene, " then ");
	tell_fd(scene, raw_open("regular", O_RDONLY, 0));
}

static void run_no_terminal(struct scene *scene)
{
	tell_fd(scene, raw_open("/dev/tty", O_RDWR, 0));
	tell(scene, " read ");
	tell_fd(scene, raw_open("/dev/tty", O_RDONLY | O_NOCTTY, 0));
	tell(scene, " null ");
	tell_fd(scene, raw_open("/dev/null", O_RDWR, 0));
}

/* A new terminal, opened without O_NOCTTY by a session leader, becomes its controlling one. */
static void run_terminal(struct scene *scene)
{
	const int *flags = scene->data;
	int controller = raw_open("/dev/ptmx", O_RDWR | O_NOCTTY, 0), number = -1, unlock = 0;
	char path[64], answer[8] = "";
	int fd;

	tell_result(scene, controller);
	prepare(scene,
		!ioctl(controller, TIOCGPTN, &number) && !ioctl(controller, TIOCSPTLCK, &unlock));
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	fd = raw_open(path, *flags, 0);
	tell(scene, " terminal ");
	tell_result(scene, fd);
	tell(scene, " isatty=%d leads=%d /dev/tty ", isatty(fd), tcgetsid(fd) == getpid());
	fd = raw_open("/dev/tty", O_RDWR, 0);
	tell_result(scene, fd);
	if (fd >= 0) {
		tell(scene, " write=%ld", raw(SYS_write, fd, "hey", 3));
		tell(scene, " read=%ld %s", raw(SYS_read, controller, answer, 7), answer);
		tell(scene, " console ");
		tell_result(scene, raw_open("/dev/tty", O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0));
	}
}

/* /proc/thread-self of a thread that is not the first. */
static void *second_thread(void *pointer)
{
	struct scene *scene = pointer;
	char data[4096] = "", path[64], *line;
	int fd = raw_open("/proc/thread-self/status", O_RDONLY, 0);

	tell_result(scene, fd);
	prepare(scene, read(fd, data, sizeof(data) - 1) > 0);
	line = strstr(data, "\nPid:\t");
	tell(scene, " own=%d", line && atoi(line + 6) == gettid());
	line = strstr(data, "\nTgid:\t");
	tell(scene, " group=%d", line && atoi(line + 7) == getpid());
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", gettid());
	tell(scene, " task ");
	tell_result(scene, raw_open(path, O_RDONLY, 0));
	snprintf(path, sizeof(path), "/proc/%d/status", gettid());
	tell(scene, " by tid ");
	tell_result(scene, raw_open(path, O_RDONLY, 0));
	return NULL;
}

static void run_thread_self(struct scene *scene)
{
	pthread_t thread;

	prepare(scene, !pthread_create(&thread, NULL, second_thread, scene));
	pthread_join(thread, NULL);
}

/* A child's /proc, also after it ended and is not waited for. */
static void run_child(struct scene *scene)
{
	char path[64];
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	tell_result(scene, raw_open(path, O_RDONLY, 0));
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	tell(scene, " ended ");
	tell_result(scene, raw_open(path, O_RDONLY, 0));
	waitpid(pid, NULL, 0);
	tell(scene, " gone ");
	tell_result(scene, raw_open(path, O_RDONLY, 0));
}

/* A running program cannot be written to. */
static void run_text_busy(struct scene *scene)
{
	tell_fd(scene, raw_open("/proc/self/exe", O_WRONLY, 0));
	tell(scene, " both ");
	tell_fd(scene, raw_open("/proc/self/exe", O_RDWR | O_CREAT, 0));
	tell(scene, " read ");
	tell_result(scene, raw_open("/proc/self/exe", O_RDONLY, 0));
}

void cases_proc(struct runner *runner)
{
	static const int terminal_flags[] = {O_RDWR, O_RDWR | O_NOCTTY};

	for (size_t r = 0; r < array_length(roads); r++) {
		for (size_t f = 0; f < array_length(own_files); f++) {
			struct proc_case test = {roads[r], own_files[f]};

			runner_case(runner, run_own, &test, "proc/%s/%s", roads[r], own_files[f]);
		}
	}
	for (size_t i = 0; i < array_length(fds); i++) {
		runner_case(runner, run_fd, &fds[i], "proc/fd/%s", fds[i].name);
	}
	for (size_t i = 0; i < array_length(terminal_flags); i++) {
		runner_case(runner, run_terminal, &terminal_flags[i], "tty/new/%o",
			(unsigned int)terminal_flags[i]);
	}
	runner_case(runner, run_no_terminal, NULL, "tty/none");
	runner_case(runner, run_standard, NULL, "proc/standard-streams");
	runner_case(runner, run_lowest, NULL, "proc/lowest-number");
	runner_case(runner, run_write_own, NULL, "proc/write-own");
	runner_case(runner, run_shut_directory, NULL, "proc/shut-directory");
	runner_case(runner, run_other_entry, NULL, "proc/other-entry");
	runner_case(runner, run_thread_self, NULL, "proc/second-thread");
	runner_case(runner, run_child, NULL, "proc/child");
	runner_case(runner, run_text_busy, NULL, "proc/text-busy");
}
