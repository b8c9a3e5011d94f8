/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits and locks that stand in an open's way: a full descriptor table, RLIMIT_FSIZE, leases,
 * seals, running programs.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/parity.h"
#include "tests/parity/tree.h"

static void fill_table(struct scene *scene, unsigned int limit)
{
	struct rlimit rlimit = {limit, limit};

	prepare(scene, !setrlimit(RLIMIT_NOFILE, &rlimit));
	while (dup(0) >= 0) {
	}
	prepare(scene, errno == EMFILE);
}

static void run_full_table(struct scene *scene)
{
	fill_table(scene, 32);
	tell_result(scene, raw_open("regular", O_RDONLY, 0));
	tell(scene, " missing ");
	tell_result(scene, raw_open("missing", O_RDONLY, 0));
	tell(scene, " create ");
	tell_result(scene, raw_open("new", O_RDWR | O_CREAT, 0600));
	tell(scene, " truncate ");
	tell_result(scene, raw_open("regular", O_RDWR | O_TRUNC, 0));
	tell(scene, " NULL ");
	tell_result(scene, raw_open(NULL, O_RDONLY, 0));
	tell(scene, " openat2 ");
	tell_result(scene, raw_openat2(AT_FDCWD, "regular", O_RDONLY, 0, 0));
	tell(scene, " socket ");
	tell_result(scene, raw(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	tell(scene, " wrong socket ");
	tell_result(scene, raw(SYS_socket, 12345, SOCK_STREAM, 0));
	close(7);
	tell(scene, " one free ");
	tell_fd(scene, raw_open("regular", O_RDONLY | O_CLOEXEC, 0));
	tree_tell_changes(scene);
}

/* What is open beyond a limit that was lowered takes no place below it. */
static void run_numbers_beyond(struct scene *scene)
{
	struct rlimit rlimit = {32, 32};

	for (int number = 40; number < 60; number++) {
		prepare(scene, dup2(0, number) == number);
	}
	prepare(scene, !setrlimit(RLIMIT_NOFILE, &rlimit));
	for (int count = 0; count < 40; count++) {
		int fd = raw_open("regular", O_RDWR | O_TRUNC | O_CREAT, 0600);

		if (fd < 0) {
			tell(scene, "after %d ", count);
			tell_result(scene, fd);
			break;
		}
	}
	tell(scene, " create ");
	tell_result(scene, raw_open("new", O_RDWR | O_CREAT, 0600));
	close(9);
	tell(scene, " one free ");
	tell_result(scene, raw_open("new", O_RDWR | O_CREAT, 0600));
	tree_tell_changes(scene);
}

static void run_limit_zero(struct scene *scene)
{
	struct rlimit rlimit = {0, 0};

	prepare(scene, !setrlimit(RLIMIT_NOFILE, &rlimit));
	tell_result(scene, raw_open("regular", O_RDONLY, 0));
	tell(scene, " create ");
	tell_result(scene, raw_open("new", O_RDWR | O_CREAT, 0600));
	rlimit.rlim_cur = 0;
	tree_tell_changes(scene);
}

/* Numbers up to the limit and beyond what a supervisor may have itself. */
static void run_high_numbers(struct scene *scene)
{
	struct rlimit rlimit;
	int fd = -1;

	prepare(scene, !getrlimit(RLIMIT_NOFILE, &rlimit));
	rlimit.rlim_cur = rlimit.rlim_max < 4096 ? rlimit.rlim_max : 4096;
	prepare(scene, !setrlimit(RLIMIT_NOFILE, &rlimit));
	for (unsigned int i = 0; i < 4096; i++) {
		int next = raw_open("/dev/null", O_RDONLY, 0);

		if (next < 0) {
			tell(scene, "last %d ", fd);
			tell_result(scene, next);
			break;
		}
		fd = next;
	}
}

static void run_file_size(struct scene *scene)
{
	struct rlimit rlimit = {2, 2};
	int fd;

	signal(SIGXFSZ, SIG_IGN);
	prepare(scene, !setrlimit(RLIMIT_FSIZE, &rlimit));
	fd = raw_open("new", O_RDWR | O_CREAT, 0600);
	tell_fd(scene, fd);
	tell(scene, " write=%ld", raw(SYS_write, fd, "four", 4));
	tell(scene, " more=%s", observe_errno((int)-raw(SYS_write, fd, "four", 4)));
	tell(scene, " truncate ");
	tell_fd(scene, raw_open("regular", O_RDWR | O_TRUNC, 0));
	tree_tell_changes(scene);
}

/* Another process' lease: a non-blocking open is told to come back. */
static void run_lease(struct scene *scene)
{
	int fd = raw_open("regular", O_RDONLY, 0);

	signal(SIGIO, SIG_IGN);
	prepare(scene, fd >= 0 && !fcntl(fd, F_SETLEASE, F_RDLCK));
	tell(scene, "write ");
	tell_result(scene, raw_open("regular", O_WRONLY | O_NONBLOCK, 0));
	tell(scene, " read ");
	tell_result(scene, raw_open("regular", O_RDONLY | O_NONBLOCK, 0));
	prepare(scene, !fcntl(fd, F_SETLEASE, F_UNLCK));
	tell(scene, " released ");
	tell_result(scene, raw_open("regular", O_WRONLY | O_NONBLOCK, 0));
}

/* A lease of another process that is given up when the blocking open breaks it. */
static void run_lease_broken(struct scene *scene)
{
	int ready[2];
	pid_t pid;
	char byte;

	prepare(scene, !pipe(ready));
	pid = fork();
	if (pid == 0) {
		int fd = raw_open("regular", O_RDONLY, 0), number;
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGIO);
		sigprocmask(SIG_BLOCK, &set, NULL);
		fcntl(fd, F_SETLEASE, F_RDLCK);
		(void)!write(ready[1], "", 1);
		sigwait(&set, &number);
		fcntl(fd, F_SETLEASE, F_UNLCK);
		_exit(0);
	}
	prepare(scene, read(ready[0], &byte, 1) == 1);
	tell_fd(scene, raw_open("regular", O_WRONLY, 0));
	waitpid(pid, NULL, 0);
}

static void run_sealed(struct scene *scene)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
	char path[64];

	prepare(scene, fd >= 0 && !ftruncate(fd, 100) &&
			       !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	tell_fd(scene, raw_open(path, O_RDWR, 0));
	tell(scene, " truncate ");
	tell_result(scene, raw_open(path, O_RDWR | O_TRUNC, 0));
}

/* Many opens in a row leak nothing and always give the same number. */
static void run_many(struct scene *scene)
{
	int first = raw_open("regular", O_RDONLY, 0), wrong = 0;

	close(first);
	for (int i = 0; i < 2000; i++) {
		int fd = raw_open(i % 3 ? "regular" : "missing", O_RDONLY, 0);

		wrong += i % 3 ? fd != first : fd != -ENOENT;
		if (fd >= 0) {
			close(fd);
		}
	}
	tell(scene, "%d of 2000 wrong", wrong);
}

struct limit_case {
	const char *name;
	case_function *function;
};

static const struct limit_case limits[] = {
	{"full-table", run_full_table},
	{"numbers-beyond", run_numbers_beyond},
	{"no-descriptors", run_limit_zero},
	{"high-numbers", run_high_numbers},
	{"file-size", run_file_size},
	{"lease", run_lease},
	{"lease-broken", run_lease_broken},
	{"sealed", run_sealed},
	{"many", run_many},
};

void cases_limit(struct runner *runner)
{
	for (size_t i = 0; i < array_length(limits); i++) {
		runner_case(runner, limits[i].function, NULL, "limit/%s", limits[i].name);
	}
}
