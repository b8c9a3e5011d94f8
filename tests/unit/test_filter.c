/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds of the filter of any policy: other calling conventions are not there, what nobody
 * retries is never notified, what is always allowed is allowed without a look at arguments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/sched.h>
#include <string.h>

#include "daemon/policy/filter_calls.h"
#include "daemon/policy/filter_launch.h"
#include "tests/unit/filter_text.h"
#include "usher/wire.h"

#define CALLS 1024

static void the_probe_is_always_notified(void **state)
{
	static const char *const texts[] = {
		"",
		"[syscalls]\ndefault = deny\n",
		"[syscalls]\ndefault = kill\n",
		"[syscalls]\nkill = seccomp\n",
		"[syscalls]\ndeny = seccomp(arg0 == 0x72687375)\n",
	};

	(void)state;
	for (size_t i = 0; i < array_length(texts); i++) {
		struct filter filter = filter_of(texts[i], false);

		assert_int_equal(ASK(&filter, seccomp, RUBBISH | WIRE_PROBE_OPERATION), NOTIFIED);
		assert_int_not_equal(ASK(&filter, seccomp, 0), NOTIFIED);
		filter_finish(&filter);
	}
}

static void other_calling_conventions_do_not_exist(void **state)
{
	static const unsigned int architectures[] = {
		AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, 0};
	const unsigned long long args[6] = {0};
	struct filter filter = filter_of("[files]\ndefault = deny\n", false);
	int error;

	(void)state;
	for (size_t i = 0; i < array_length(architectures); i++) {
		for (int nr = 0; nr < CALLS; nr++) {
			assert_int_equal(
				filter_evaluate(&filter, architectures[i], nr, args, &error),
				FILTER_ERRNO);
			assert_int_equal(error, ENOSYS);
		}
	}
	for (int nr = 0; nr < CALLS; nr++) {
		assert_int_equal(ask(&filter, 0x40000000 | nr, args), ENOSYS);
	}
	filter_finish(&filter);
}

static const char everything_text[] = "[files]\ndefault = deny\n[network]\ndefault = deny\n"
				      "[sockets]\ndefault = allow\ninject = inet\n"
				      "audit deny = netlink\n";

static void what_nobody_retries_is_never_notified(void **state)
{
	static const unsigned long long values[] = {0, 1, 2, 16, 0x4206, 23, 24, 28, 47,
		CLONE_NEWNS, CLONE_NEWUSER, 0xffffffff, WIRE_PROBE_OPERATION, ~0ull};
	struct filter filter = filter_of(everything_text, true);
	size_t notified = 0;

	(void)state;
	for (int nr = 0; nr < CALLS; nr++) {
		for (size_t i = 0; i < array_length(values); i++) {
			unsigned long long args[6] = {values[i], values[i], values[i], values[i]};

			if (ask(&filter, nr, args) == NOTIFIED) {
				assert_true(filter_may_notify(nr));
				notified++;
			}
		}
	}
	assert_true(notified > 100);
	assert_false(filter_may_notify(SCMP_SYS(read)));
	assert_false(filter_may_notify(SCMP_SYS(close)));
	assert_false(filter_may_notify(SCMP_SYS(futex)));
	assert_true(filter_may_notify(SCMP_SYS(openat)));
	assert_false(filter_clause_may_notify(SCMP_SYS(clone), false));
	assert_true(filter_clause_may_notify(SCMP_SYS(clone), true));
	assert_false(filter_clause_may_notify(SCMP_SYS(exit_group), true));
	filter_finish(&filter);
}

/*
 * As the kernel looks for what it may put into its bitmap: true if the call is allowed by its
 * number and the architecture alone.
 */
static bool is_allowed_unseen(const struct filter *filter, int nr)
{
	uint32_t a = 0;

	for (size_t at = 0; at < filter->count;) {
		const struct sock_filter *instruction = &filter->instructions[at++];
		uint32_t k = instruction->k;
		bool holds;

		switch (instruction->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (k != offsetof(struct seccomp_data, nr) &&
				k != offsetof(struct seccomp_data, arch)) {
				return false;
			}
			a = k == offsetof(struct seccomp_data, nr) ? (uint32_t)nr
								   : AUDIT_ARCH_X86_64;
			continue;
		case BPF_RET | BPF_K:
			return k == SECCOMP_RET_ALLOW;
		case BPF_JMP | BPF_JA:
			at += k;
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			holds = a == k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			holds = a >= k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			holds = a > k;
			break;
		default:
			return false;
		}
		at += holds ? instruction->jt : instruction->jf;
	}
	return false;
}

static void what_is_always_allowed_is_allowed_unseen(void **state)
{
	static const char *const texts[] = {
		everything_text,
		"[syscalls]\ndeny = ioctl(arg1 == TIOCSTI) @mount ptrace\n",
		"[syscalls]\ndefault = deny\nallow = @system-service\n[files]\ndefault = deny\n",
	};
	static const int calls[] = {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close),
		SCMP_SYS(mmap), SCMP_SYS(futex), SCMP_SYS(newfstatat), SCMP_SYS(getppid),
		SCMP_SYS(epoll_wait), SCMP_SYS(rt_sigreturn), SCMP_SYS(fcntl)};

	(void)state;
	for (size_t i = 0; i < array_length(texts); i++) {
		struct filter filter = filter_of(texts[i], true);

		for (size_t k = 0; k < array_length(calls); k++) {
			assert_true(is_allowed_unseen(&filter, calls[k]));
		}
		assert_false(is_allowed_unseen(&filter, SCMP_SYS(seccomp)));
		filter_finish(&filter);
	}
}

static void a_filter_that_is_too_large_is_refused(void **state)
{
	static const struct filter_options options = {0};
	static char text[65536] = "[syscalls]\n";
	cleanup_policy struct policy *policy = NULL;
	struct filter filter;

	(void)state;
	for (int i = 0; i < 300; i++) {
		sprintf(text + strlen(text),
			"deny E2BIG = mmap(arg0 != %d, arg1 > %d, arg5 <= %d)\n", i * 7, i * 11,
			i * 13);
	}
	policy = policy_text(text);
	assert_int_equal(filter_compile(&filter, policy, &options), -E2BIG);
	assert_null(filter.instructions);
}

static void what_the_launcher_needs_is_named(void **state)
{
	static const struct {
		const char *text, *obstacle;
	} cases[] = {
		{"[files]\ndefault = deny\n", NULL},
		{"[syscalls]\ndefault = deny\nallow = @default\n", NULL},
		{"[syscalls]\ndeny = execve\n", "execve"},
		{"[syscalls]\ndefault = kill\nallow = execve\n", "futex"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		struct filter filter = filter_of(cases[i].text, false);
		const char *obstacle = filter_launch_obstacle(&filter);

		assert_int_equal(obstacle == NULL, cases[i].obstacle == NULL);
		if (obstacle) {
			assert_string_equal(obstacle, cases[i].obstacle);
		}
		filter_finish(&filter);
	}
}

/* A program that no kernel would load lets nothing through. */
static void broken_programs_kill(void **state)
{
	static struct sock_filter programs[][2] = {
		{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4)},
		{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_K, 0x7fff0000)},
		{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, 0x7fff0000)},
		{BPF_STMT(BPF_JMP | BPF_JA, 7), BPF_STMT(BPF_RET | BPF_K, 0x7fff0000)},
		{BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), BPF_STMT(BPF_RET | BPF_K, 0x7fff0000)},
		{BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET | BPF_K, 0x7fff0000)},
	};
	const unsigned long long args[6] = {0};

	(void)state;
	for (size_t i = 0; i < array_length(programs); i++) {
		struct filter filter = {programs[i], 2};

		assert_int_equal(ask(&filter, 0, args), KILLED);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_probe_is_always_notified),
		cmocka_unit_test(other_calling_conventions_do_not_exist),
		cmocka_unit_test(what_nobody_retries_is_never_notified),
		cmocka_unit_test(what_is_always_allowed_is_allowed_unseen),
		cmocka_unit_test(a_filter_that_is_too_large_is_refused),
		cmocka_unit_test(what_the_launcher_needs_is_named),
		cmocka_unit_test(broken_programs_kill),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	policy_text_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
