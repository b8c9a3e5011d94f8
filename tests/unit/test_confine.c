/* SPDX-License-Identifier: Apache-2.0 */
/* What a confined broker can no longer do, tried by a process that has confined itself. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "daemon/base/wire.h"
#include "daemon/broker/confine.h"
#include "daemon/broker/supervisor.h"

/* A try returns 0, or the negative errno that it failed with. */
typedef int trial(void);

static int result_of(long result)
{
	return result < 0 ? -errno : 0;
}

static int try_fork(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0) {
		_exit(0);
	}
	return result_of(pid);
}

static int try_execve(void)
{
	char *const none[] = {NULL};

	return result_of(execve("/bin/true", none, none));
}

static int try_map(int protection)
{
	void *page = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -errno : 0;
}

static int try_map_code(void)
{
	return try_map(PROT_READ | PROT_EXEC);
}

static int try_map_data(void)
{
	return try_map(PROT_READ | PROT_WRITE);
}

static int try_ptrace(void)
{
	return result_of(syscall(SYS_ptrace, PTRACE_SEIZE, 1, 0, 0));
}

static int try_bpf(void)
{
	return result_of(syscall(SYS_bpf, 0, NULL, 0));
}

static int try_io_uring(void)
{
	return result_of(syscall(SYS_io_uring_setup, 1, NULL));
}

static int try_mount(void)
{
	return result_of(mount("none", "/nowhere", "tmpfs", 0, NULL));
}

static int try_dumpable(void)
{
	return result_of(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int try_terminal(void)
{
	return result_of(syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x"));
}

static int try_listener(void)
{
	int error = result_of(syscall(SYS_ioctl, 99, SECCOMP_IOCTL_NOTIF_ID_VALID, NULL));

	return error == -EBADF ? 0 : error;
}

static void *set_flag(void *flag)
{
	*(bool *)flag = true;
	return NULL;
}

/* `*flag` is what the thread makes of it. 0 or a negative errno. */
static int ask_thread(void *(*body)(void *), bool *flag)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, body, flag);

	return error == 0 ? -pthread_join(thread, NULL) : -error;
}

static int try_thread(void)
{
	bool flag = false;
	int error = ask_thread(set_flag, &flag);

	return error != 0 ? error : flag ? 0 : -EIO;
}

/* Does the kernel write down for the calling thread where it runs? */
static bool has_processor_noted(void)
{
	const char *thread = __builtin_thread_pointer();
	const struct rseq *area = (const struct rseq *)(thread + __rseq_offset);

	return (int)*(const volatile uint32_t *)&area->cpu_id >= 0;
}

static void *look_for_note(void *flag)
{
	*(bool *)flag = has_processor_noted();
	return NULL;
}

static int try_note(void)
{
	bool flag = true;
	int error = ask_thread(look_for_note, &flag);

	return error != 0 ? error : flag || has_processor_noted() ? -EEXIST : 0;
}

/* Confined, with its control socket where a broker's is; says what came of the attempt. */
static void confined_child(trial *attempt, int control, int result)
{
	dup2(control, SUPERVISOR_FD);
	dup2(result, SUPERVISOR_FD + 1);
	int error = confine(SUPERVISOR_FD + 1);

	if (error == 0) {
		error = attempt();
	} else {
		error = -ENOSYS;
	}
	(void)!write(SUPERVISOR_FD + 1, &error, sizeof(error));
	_exit(0);
}

struct outcome {
	int error;
	char told[WIRE_TEXT_MAX]; /* to the supervisor, first; "" if nothing */
	unsigned int times;
};

static struct outcome confined(trial *attempt)
{
	struct outcome outcome = {.error = -EIO};
	char packet[sizeof(struct wire_refused) + WIRE_TEXT_MAX];
	int control[2], result[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, result), 0);
	pid_t child = fork();
	if (child == 0) {
		confined_child(attempt, control[1], result[1]);
	}
	close(control[1]);
	close(result[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(read(result[0], &outcome.error, sizeof(outcome.error)), sizeof(int));
	ssize_t size;
	while ((size = read(control[0], packet, sizeof(packet))) > 0) {
		assert_int_equal(wire_check(WIRE_PHASE_SERVING, packet, (size_t)size, 0), 0);
		if (outcome.times++ == 0) {
			strcpy(outcome.told, packet + sizeof(struct wire_refused));
		}
	}
	close(control[0]);
	close(result[0]);
	return outcome;
}

/* Refused, and told; with the twin that shows that nothing else is in the way. */
static void test_refused(void **state)
{
	static const struct {
		const char *name;
		trial *attempt;
	} tries[] = {
		{"fork", try_fork},
		{"execve", try_execve},
		{"executable memory", try_map_code},
		{"ptrace", try_ptrace},
		{"bpf", try_bpf},
		{"io_uring", try_io_uring},
		{"mount", try_mount},
		{"dumpable", try_dumpable},
		{"terminal", try_terminal},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct outcome outcome = confined(tries[i].attempt);
		if (outcome.error != -EPERM || !strstr(outcome.told, "never makes")) {
			fail_msg("%s: %d, told '%s'", tries[i].name, outcome.error, outcome.told);
		}
	}
}

static void test_allowed(void **state)
{
	static trial *const tries[] = {try_map_data, try_listener, try_thread};

	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct outcome outcome = confined(tries[i]);
		assert_int_equal(outcome.error, 0);
		assert_string_equal(outcome.told, "");
	}
}

static void test_processor_is_not_noted(void **state)
{
	(void)state;
	assert_true(has_processor_noted());
	assert_int_equal(confined(try_note).error, 0);
}

static int try_twice(void)
{
	(void)try_bpf();
	return try_bpf();
}

static int try_two(void)
{
	(void)try_bpf();
	return try_ptrace();
}

static void test_told_once(void **state)
{
	(void)state;
	assert_int_equal(confined(try_twice).times, 1);
	assert_int_equal(confined(try_two).times, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_told_once),
		cmocka_unit_test(test_processor_is_not_noted),
	};

	return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}
