/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of a blocked thread from outside: strings, descriptors, terminal, ancestry. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/target.h"
#include "daemon/broker/target_fd.h"
#include "sleeper.h"

#define PAGE    4096u
#define OWN_FD  200
#define SKIPPED 77

static void who_is_gone_has_no_signal(void **state)
{
	pid_t pid = sleeper_start(&(struct sleeper){0});

	(void)state;
	sleeper_stop(pid);
	assert_false(target_has_signal(pid));
	assert_true(target_tgid(pid) < 0);
	assert_false(target_has_full_table(pid, 1));
	assert_true(target_is_in_other_user_namespace(pid));
}

static void strings_end_where_they_end(void **state)
{
	char *memory =
		mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char copy[2 * PAGE];

	(void)state;
	assert_true(memory != MAP_FAILED);
	assert_int_equal(munmap(memory + 2 * PAGE, PAGE), 0);
	pid_t pid = sleeper_start(&(struct sleeper){0});
	memset(memory, 'x', 2 * PAGE);
	for (size_t length = 0; length < 600; length += 7) {
		char *string = memory + 2 * PAGE - length - 1;
		memory[2 * PAGE - 1] = '\0';
		assert_int_equal(target_read_string(pid, (uintptr_t)string, copy, sizeof(copy)), 0);
		assert_int_equal(strlen(copy), length);
		/* Room for all but the NUL. */
		assert_int_equal(
			target_read_string(pid, (uintptr_t)string, copy, length), -ENAMETOOLONG);
		memory[2 * PAGE - 1] = 'x';
		assert_int_equal(
			target_read_string(pid, (uintptr_t)string, copy, sizeof(copy)), -EFAULT);
	}
	assert_int_equal(mprotect(memory, PAGE, PROT_READ), 0);
	assert_int_equal(target_read(pid, (uintptr_t)memory + 2 * PAGE - 4, copy, 8), -EFAULT);
	assert_int_equal(target_read(pid, (uintptr_t)memory + PAGE - 4, copy, 8), 0);
	sleeper_stop(pid);
	assert_int_equal(target_read(pid, (uintptr_t)memory, copy, 8), -ESRCH);
	munmap(memory, 2 * PAGE);
}

static void ancestry_is_of_processes(void **state)
{
	pid_t pid = sleeper_start(&(struct sleeper){.has_thread = true});

	(void)state;
	assert_true(target_descends_from(pid, pid));
	assert_true(target_descends_from(pid, getpid()));
	assert_true(target_descends_from(pid, getppid()));
	assert_false(target_descends_from(getpid(), pid));
	assert_false(target_descends_from(1, getpid()));
	assert_false(target_descends_from(0, pid));
	assert_false(target_descends_from(-1, pid));
	/* A thread is named where a process can be. */
	assert_true(target_descends_from(sleeper_told->numbers[1], pid));
	assert_true(target_descends_from(sleeper_told->numbers[1], getpid()));
	sleeper_stop(pid);
	assert_false(target_descends_from(pid, pid));
}

static void a_thread_belongs_to_its_process(void **state)
{
	pid_t pid = sleeper_start(&(struct sleeper){.has_thread = true});

	(void)state;
	assert_int_equal(target_tgid(pid), pid);
	assert_int_equal(target_tgid(sleeper_told->numbers[1]), pid);
	sleeper_stop(pid);
}

static void fields_are_found_by_their_whole_name(void **state)
{
	static const char status[] = "Name:\tUid:\nUmask:\t0022\nUid:\t1\t2\t3\t4\nSeccomp:\t2\n";

	(void)state;
	assert_ptr_equal(target_status_field(status, "Uid"), strstr(status, "1\t2"));
	assert_ptr_equal(target_status_field(status, "Name"), strstr(status, "Uid:\nU"));
	assert_null(target_status_field(status, "U"));
	assert_null(target_status_field(status, "Gid"));
}

/* Read again and again under one number: what lies there now is told, and whose it is. */
static void flags_are_those_of_now(void **state)
{
	cleanup_fd int kept = fcntl(0, F_DUPFD, 200);
	pid_t pid = sleeper_start(&(struct sleeper){0});
	pid_t self = getpid();

	(void)state;
	assert_int_equal(target_fd_flags(self, 200) & O_CLOEXEC, 0);
	assert_int_equal(fcntl(200, F_SETFD, FD_CLOEXEC), 0);
	assert_int_equal(target_fd_flags(self, 200) & O_CLOEXEC, O_CLOEXEC);
	assert_int_equal(target_fd_flags(pid, 200) & O_CLOEXEC, 0);
	cleanup_fd int other = open("/dev/null", O_WRONLY | O_APPEND);
	assert_int_equal(dup2(other, 200), 200);
	assert_int_equal(target_fd_flags(self, 200) & (O_ACCMODE | O_APPEND | O_CLOEXEC),
		O_WRONLY | O_APPEND);
	close_fd(&kept);
	assert_int_equal(target_fd_flags(self, 200), -EBADF);
	assert_int_equal(target_take_fd(self, 200), -EBADF);
	assert_true(target_fd_flags(pid, 200) >= 0);
	sleeper_stop(pid);
	assert_int_equal(target_fd_flags(pid, 200), -EBADF);
	assert_int_equal(target_take_fd(pid, 200), -ESRCH);
}

static void descriptors_are_the_threads_own(void **state)
{
	cleanup_fd int kept = fcntl(0, F_DUPFD, 200);
	pid_t pid = sleeper_start(&(struct sleeper){0});
	char text[64];

	(void)state;
	cleanup_fd int taken = target_take_fd(pid, 200);
	assert_true(taken >= 0);
	assert_true(fcntl(taken, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(target_take_fd(pid, 4711), -EBADF);
	assert_int_equal(target_take_fd(pid, -1), -EBADF);
	assert_int_equal(target_open_fd(pid, 4711), -EBADF);
	assert_int_equal(target_open_fd(pid, -3), -EBADF);
	cleanup_fd int cwd = target_open_cwd(pid);
	(void)snprintf(text, sizeof(text), "/proc/self/fd/%d", cwd);
	cleanup_free char *theirs = realpath(text, NULL);
	cleanup_free char *ours = realpath(".", NULL);
	assert_string_equal(theirs, ours);
	sleeper_stop(pid);
}

/* A process with that number, whose descriptor OWN_FD is a file called so. */
static pid_t start_as(pid_t number, const char *name)
{
	struct clone_args arguments = {.exit_signal = SIGCHLD,
		.set_tid = number ? (uintptr_t)&number : 0,
		.set_tid_size = number ? 1 : 0};
	cleanup_fd int fd = memfd_create(name, 0);
	pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0) {
		(void)dup2(fd, OWN_FD);
		sleeper_tell(0);
		for (;;) {
			pause();
		}
	}
	return pid;
}

/* Is that what a thread's OWN_FD is called? */
static bool has_own(pid_t tid, const char *name)
{
	char link[64], text[64] = "";
	cleanup_fd int taken = target_take_fd(tid, OWN_FD);

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", taken);
	return taken >= 0 && readlink(link, text, sizeof(text) - 1) > 0 && strstr(text, name);
}

/* What a number is used for again is not what it was: 0, or what went wrong. */
static int use_a_number_twice(void)
{
	mode_t mask = umask(022);
	pid_t first = start_as(0, "first");

	while (first > 0 && atomic_load(&sleeper_told->ready) < 1) {
		sched_yield();
	}
	if (first < 0 || !has_own(first, "first") || !has_own(first, "first") ||
		target_read_umask(first, &mask) < 0 || mask != 022) {
		return 1;
	}
	kill(first, SIGKILL);
	waitpid(first, NULL, 0);
	if (target_take_fd(first, OWN_FD) != -ESRCH || target_read_umask(first, &mask) == 0 ||
		target_take_fd(0, OWN_FD) >= 0 || target_read_umask(0, &mask) == 0) {
		return 2;
	}
	umask(077);
	if (start_as(first, "second") != first) {
		return 3;
	}
	while (atomic_load(&sleeper_told->ready) < 2) {
		sched_yield();
	}
	bool is_another = has_own(first, "second") && target_read_umask(first, &mask) == 0;
	return is_another && mask == 077 ? 0 : 4;
}

/* Numbers can be chosen by who owns the namespace of processes; all die with its first. */
static void a_number_that_comes_again_is_another_thread(void **state)
{
	int status = -1;

	(void)state;
	memset(sleeper_told, 0, sizeof(*sleeper_told));
	pid_t pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) < 0) {
			_exit(SKIPPED);
		}
		pid_t init = fork();
		if (init == 0) {
			bool is_there = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
					mount("proc", "/proc", "proc", 0, NULL) == 0;
			_exit(is_there ? use_a_number_twice() : 5);
		}
		waitpid(init, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 6);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIPPED) {
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_terminal_has_a_name(void **state)
{
	char name[64], path[64];
	cleanup_fd int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	(void)state;
	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	assert_int_equal(ptsname_r(master, name, sizeof(name)), 0);
	memset(sleeper_told, 0, sizeof(*sleeper_told));
	pid_t pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		setsid();
		sleeper_tell(0);
		while (atomic_load(&sleeper_told->numbers[2]) == 0) {
			sched_yield();
		}
		if (open(name, O_RDWR) < 0) { /* becomes its controlling terminal */
			_exit(1);
		}
		sleeper_tell(1);
		for (;;) {
			pause();
		}
	}
	sleeper_wait(1);
	assert_int_equal(target_terminal(pid, path, sizeof(path)), -ENXIO);
	atomic_store(&sleeper_told->numbers[2], 1);
	sleeper_wait(2);
	assert_int_equal(target_terminal(pid, path, sizeof(path)), 0);
	assert_string_equal(path, name);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The name of a program stands in parentheses, and may hold them. */
static void a_programs_name_does_not_confuse(void **state)
{
	char path[64];

	(void)state;
	memset(sleeper_told, 0, sizeof(*sleeper_told));
	pid_t pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, ") R 1 1 1 34816");
		setsid();
		sleeper_tell(0);
		for (;;) {
			pause();
		}
	}
	sleeper_wait(1);
	assert_int_equal(target_terminal(pid, path, sizeof(path)), -ENXIO);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_gone_has_no_signal),
		cmocka_unit_test(strings_end_where_they_end),
		cmocka_unit_test(ancestry_is_of_processes),
		cmocka_unit_test(a_thread_belongs_to_its_process),
		cmocka_unit_test(fields_are_found_by_their_whole_name),
		cmocka_unit_test(descriptors_are_the_threads_own),
		cmocka_unit_test(flags_are_those_of_now),
		cmocka_unit_test(a_number_that_comes_again_is_another_thread),
		cmocka_unit_test(a_terminal_has_a_name),
		cmocka_unit_test(a_programs_name_does_not_confuse),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, sleeper_set_up, NULL);
}
