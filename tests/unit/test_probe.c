/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probes of `usher doctor` on kernels that lack something, or that say yes and do nothing: each
 * is run behind a filter that takes one thing away, and without. What it says must differ, and
 * whatever happens nothing of it may stay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/probe.h"
#include "client/probe_target.h"
#include "daemon/base/cleanup.h"

#define END_TRIES 200
#define END_NS    10000000L
#define NO_NUMBER (-1) /* no call is taken away */
#define SILENT    0    /* the call does nothing and returns 0 */

/* `number` fails with `error` where argument `argument`, masked, is `value` (mask 0: always). */
struct obstacle {
	int number;
	int error;
	unsigned int argument;
	uint64_t mask, value;
};

struct case_of_probe {
	const char *probe;
	const char *without; /* what is missing */
	struct obstacle obstacle;
	enum probe_state expected;
};

#define ALL_BITS UINT32_MAX
#define IOCTL(request, error)                                \
	{                                                    \
		SCMP_SYS(ioctl), error, 1, ALL_BITS, request \
	}
#define CALL(name, error)                      \
	{                                      \
		SCMP_SYS(name), error, 0, 0, 0 \
	}
#define FLAG(name, argument, flag, error)                   \
	{                                                   \
		SCMP_SYS(name), error, argument, flag, flag \
	}

static const struct case_of_probe cases[] = {
	{"notification", "listeners", FLAG(seccomp, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER, EINVAL),
		PROBE_MISSING},
	{"notification", "RECV", IOCTL(SECCOMP_IOCTL_NOTIF_RECV, EINVAL), PROBE_MISSING},
	{"notification", "SEND that works", IOCTL(SECCOMP_IOCTL_NOTIF_SEND, SILENT), PROBE_MISSING},
	{"outer listener", "a free place",
		FLAG(seccomp, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER, EBUSY), PROBE_MISSING},
	{"descriptor injection", "ADDFD", IOCTL(SECCOMP_IOCTL_NOTIF_ADDFD, EINVAL), PROBE_MISSING},
	{"descriptor injection", "ADDFD that works", IOCTL(SECCOMP_IOCTL_NOTIF_ADDFD, SILENT),
		PROBE_MISSING},
	{"injection by number", "ADDFD that works", IOCTL(SECCOMP_IOCTL_NOTIF_ADDFD, SILENT),
		PROBE_MISSING},
	{"killable wait", "the flag",
		FLAG(seccomp, 1, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, EINVAL), PROBE_MISSING},
	{"restart by signal", "a working answer", IOCTL(SECCOMP_IOCTL_NOTIF_SEND, EINVAL),
		PROBE_MISSING},
	{"sync wake-up", "SET_FLAGS", IOCTL(SECCOMP_IOCTL_NOTIF_SET_FLAGS, EINVAL), PROBE_MISSING},
	{"sync wake-up", "SET_FLAGS that looks", IOCTL(SECCOMP_IOCTL_NOTIF_SET_FLAGS, SILENT),
		PROBE_LIMITED},
	{"end of session", "poll that tells", CALL(poll, SILENT), PROBE_MISSING},
	{"read a descendant", "the right", CALL(process_vm_readv, EPERM), PROBE_MISSING},
	{"read another process", "the right", CALL(process_vm_readv, EPERM), PROBE_LIMITED},
	{"read undumpable", "the right", CALL(process_vm_readv, EPERM), PROBE_LIMITED},
	{"/proc/PID/mem", "reading", CALL(pread64, EPERM), PROBE_MISSING},
	{"pidfd_getfd", "the right", CALL(pidfd_getfd, EPERM), PROBE_MISSING},
	{"pidfd_getfd", "pidfds", CALL(pidfd_open, ENOSYS), PROBE_MISSING},
	{"pidfd of a thread", "the flag", FLAG(pidfd_open, 1, PIDFD_THREAD, EINVAL), PROBE_MISSING},
	{"openat2", "the call", CALL(openat2, ENOSYS), PROBE_MISSING},
	{"openat2", "a call that looks", CALL(openat2, SILENT), PROBE_MISSING},
	{"sealed memory", "the call", CALL(memfd_create, ENOSYS), PROBE_MISSING},
	{"sealed memory", "seals that hold", FLAG(fcntl, 1, F_ADD_SEALS, SILENT), PROBE_MISSING},
	{"close_range", "the call", CALL(close_range, ENOSYS), PROBE_LIMITED},
	{"close_range", "a call that closes", CALL(close_range, SILENT), PROBE_LIMITED},
	{"landlock", "the calls", CALL(landlock_create_ruleset, ENOSYS), PROBE_MISSING},
	{"landlock", "a call that confines", CALL(landlock_restrict_self, SILENT), PROBE_MISSING},
	{"user namespace", "the right", CALL(unshare, EPERM), PROBE_MISSING},
	{"network namespace", "the right", CALL(unshare, EPERM), PROBE_MISSING},
	{"network namespace", "a call that separates", CALL(unshare, SILENT), PROBE_MISSING},
	{"filters", "filters", CALL(seccomp, EINVAL), PROBE_MISSING},
};

static const struct probe *find_probe(const char *name)
{
	for (size_t i = 0; i < probe_count; i++) {
		if (strcmp(probes[i].name, name) == 0) {
			return &probes[i];
		}
	}
	fail_msg("no probe is called '%s'", name);
	return NULL;
}

static int take_away(const struct obstacle *obstacle)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
	struct scmp_arg_cmp comparison =
		SCMP_CMP64(obstacle->argument, SCMP_CMP_MASKED_EQ, obstacle->mask, obstacle->value);
	uint32_t action = SCMP_ACT_ERRNO((uint32_t)obstacle->error);

	if (!context) {
		return -ENOMEM;
	}
	int error = seccomp_rule_add_array(
		context, action, obstacle->number, obstacle->mask ? 1 : 0, &comparison);
	error = error < 0 ? error : seccomp_load(context);
	seccomp_release(context);
	return error;
}

/* What is to be done behind the obstacle; its answer lies in shared memory. */
struct attempt {
	const struct probe *probe; /* NULL: look for the cause */
	struct obstacle obstacle;
	bool odd_signals; /* started by somebody who ignores and blocks them */
	struct probe_result result;
	bool found;
	char cause[512];
};

static void assert_nothing_stays(void)
{
	for (int i = 0; i < END_TRIES; i++) {
		while (waitpid(-1, NULL, WNOHANG) > 0) {
		}
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD) {
			return;
		}
		nanosleep(&(struct timespec){.tv_nsec = END_NS}, NULL);
	}
	fail_msg("a process of the probe is still there");
}

static void make_signals_odd(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
}

static __attribute__((noreturn)) void attempt_main(struct attempt *attempt)
{
	if (attempt->odd_signals) {
		make_signals_odd();
	}
	if (attempt->obstacle.number != NO_NUMBER && take_away(&attempt->obstacle) < 0) {
		_exit(1);
	}
	if (attempt->probe) {
		probe_run(attempt->probe, &attempt->result);
	} else {
		attempt->found = probe_find_cause(attempt->cause, sizeof(attempt->cause));
	}
	_exit(0);
}

/* In a process of its own, because a filter stays. */
static void try(struct attempt *attempt)
{
	struct attempt *shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	assert_ptr_not_equal(shared, MAP_FAILED);
	*shared = *attempt;
	pid_t pid = fork();
	if (pid == 0) {
		attempt_main(shared);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	*attempt = *shared;
	munmap(shared, sizeof(*shared));
	assert_nothing_stays();
}

static void tells_what_is_missing(void **state)
{
	const struct case_of_probe *tried = *state;
	struct attempt with = {.probe = find_probe(tried->probe), .obstacle.number = NO_NUMBER};
	struct attempt without = {.probe = with.probe, .obstacle = tried->obstacle};

	try(&with);
	if (with.result.state == tried->expected) {
		print_message("# here anyway: %s\n", with.result.detail);
		skip();
	}
	try(&without);
	if (without.result.state != tried->expected) {
		fail_msg("%s, but: %s", probe_state_name(without.result.state),
			without.result.detail);
	}
}

static void finds_no_cause_where_nothing_is_missing(void **state)
{
	struct attempt attempt = {.obstacle.number = NO_NUMBER};

	(void)state;
	try(&attempt);
	if (attempt.found) {
		print_message("# %s\n", attempt.cause);
		skip();
	}
}

static void names_the_cause(void **state)
{
	struct attempt attempt = {.obstacle = CALL(pidfd_getfd, EPERM)};

	(void)state;
	try(&attempt);
	assert_true(attempt.found);
	assert_non_null(strstr(attempt.cause, "pidfd_getfd: "));
	assert_non_null(strstr(attempt.cause, strerror(EPERM)));
}

static void names_an_outer_listener(void **state)
{
	struct attempt attempt = {
		.obstacle = FLAG(seccomp, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER, EBUSY)};

	(void)state;
	try(&attempt);
	assert_true(attempt.found);
	assert_non_null(strstr(attempt.cause, "outer listener: "));
}

static void hang_with_a_child(struct probe_result *result)
{
	(void)result;
	fork();
	for (;;) {
		pause();
	}
}

static void ends_a_probe_that_hangs(void **state)
{
	static const struct probe hanging = {.name = "hanging", .run = hang_with_a_child};
	struct attempt attempt = {.probe = &hanging, .obstacle.number = NO_NUMBER};

	(void)state;
	try(&attempt);
	assert_int_equal(attempt.result.state, PROBE_MISSING);
	assert_non_null(strstr(attempt.result.detail, "no end within"));
}

static void die(struct probe_result *result)
{
	(void)result;
	raise(SIGKILL);
}

static void survives_a_probe_that_dies(void **state)
{
	static const struct probe dying = {.name = "dying", .run = die};
	struct attempt attempt = {.probe = &dying, .obstacle.number = NO_NUMBER};

	(void)state;
	try(&attempt);
	assert_int_equal(attempt.result.state, PROBE_MISSING);
	assert_string_equal(attempt.result.detail, "killed by SIGKILL");
}

static void does_not_depend_on_inherited_signals(void **state)
{
	static const char *const names[] = {"notification", "killable wait", "restart by signal"};

	(void)state;
	for (size_t i = 0; i < array_length(names); i++) {
		struct attempt plain = {
			.probe = find_probe(names[i]), .obstacle.number = NO_NUMBER};
		struct attempt odd = plain;
		odd.odd_signals = true;
		try(&plain);
		try(&odd);
		assert_int_equal(odd.result.state, plain.result.state);
	}
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(finds_no_cause_where_nothing_is_missing),
		cmocka_unit_test(names_the_cause),
		cmocka_unit_test(names_an_outer_listener),
		cmocka_unit_test(ends_a_probe_that_hangs),
		cmocka_unit_test(survives_a_probe_that_dies),
		cmocka_unit_test(does_not_depend_on_inherited_signals),
	};
	struct CMUnitTest tests[array_length(cases) + array_length(others)];
	char names[array_length(cases)][128];

	for (size_t i = 0; i < array_length(cases); i++) {
		snprintf(names[i], sizeof(names[i]), "%s without %s", cases[i].probe,
			cases[i].without);
		tests[i] = (struct CMUnitTest){.name = names[i],
			.test_func = tells_what_is_missing,
			.initial_state = (void *)(uintptr_t)&cases[i]};
	}
	memcpy(tests + array_length(cases), others, sizeof(others));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
