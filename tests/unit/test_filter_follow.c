/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a loaded filter serves another policy: what is told to suit does, call by call and
 * argument by argument, and what does not is told by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter.h"
#include "daemon/policy/filter_follow.h"
#include "daemon/policy/filter_plan.h"
#include "tests/unit/policy_text.h"

#define READS  "[files]\ndefault = allow\ndeny read = /a\n"
#define WRITES "[files]\ndefault = allow\ndeny write = /a\n"
#define BOTH   "[files]\ndefault = allow\ndeny read write = /b\n"

static const struct filter_options options = {.targets_are_root = false};

static int follow(const char *running_text, const char *wanted_text, char *reason)
{
	cleanup_policy struct policy *running = policy_text(running_text);
	cleanup_policy struct policy *wanted = policy_text(wanted_text);

	reason[0] = '\0';
	return filter_follow(running, wanted, &options, reason);
}

static void expect_follows(const char *running, const char *wanted)
{
	char reason[FILTER_FOLLOW_REASON_MAX];

	assert_int_equal(follow(running, wanted, reason), FILTER_FOLLOWS);
	assert_string_equal(reason, "");
}

static void expect_differs(const char *running, const char *wanted, const char *words)
{
	char reason[FILTER_FOLLOW_REASON_MAX];

	assert_int_equal(follow(running, wanted, reason), FILTER_DIFFERS);
	if (!strstr(reason, words)) {
		print_error("'%s' does not say '%s'\n", reason, words);
	}
	assert_non_null(strstr(reason, words));
}

static void other_names_need_no_other_filter(void **state)
{
	(void)state;
	expect_follows(READS, READS);
	expect_follows(READS, "[files]\ndefault = allow\ndeny read = /b /c/** /d*\n");
	expect_follows("[network]\nallow connect = tcp *:80\n",
		"[network]\nallow connect = tcp 10.0.0.0/8:443\ndefault = deny EPERM\n");
}

static void what_is_asked_about_may_be_let_pass(void **state)
{
	(void)state;
	expect_follows(BOTH, WRITES);
	expect_follows(BOTH, READS);
}

static void what_is_not_asked_about_is_missed(void **state)
{
	(void)state;
	expect_differs(WRITES, BOTH, "the new policy asks about it");
	expect_differs(WRITES, READS, "its filter lets pass open");
	expect_differs(
		READS, READS "[network]\nallow connect = tcp *:80\n", "its filter lets pass");
}

static void what_the_kernel_refuses_stays_refused(void **state)
{
	(void)state;
	expect_differs("[syscalls]\ndeny EPERM = ptrace\n", "[syscalls]\ndeny EPERM = bpf\n",
		"its filter ");
	expect_differs("[syscalls]\ndeny EPERM = ptrace\n", "[syscalls]\ndeny EACCES = ptrace\n",
		"refuses ptrace");
	expect_differs("[syscalls]\ndeny EPERM = ptrace\n", "[syscalls]\ndefault = allow\n",
		"the new policy lets pass");
	expect_differs("[syscalls]\nkill = ptrace\n", "[syscalls]\ndeny EPERM = ptrace\n",
		"kills for ptrace");
	/* io_uring is refused where files are mediated. */
	expect_differs(READS, "[policy]\ndescription = x\n", "its filter refuses");
	expect_differs("[syscalls]\ndefault = deny EPERM\nallow = read exit_group execve openat\n",
		"[syscalls]\ndefault = deny EACCES\nallow = read exit_group execve openat\n",
		"refuses");
}

static void the_order_of_rules_that_say_the_same_does_not_matter(void **state)
{
	(void)state;
	expect_follows(
		"[syscalls]\ndeny EPERM = ioctl(arg1 == 1)\ndeny EACCES = ioctl(arg1 == 2)\n",
		"[syscalls]\ndeny EACCES = ioctl(arg1 == 2)\ndeny EPERM = ioctl(arg1 == 1)\n");
	expect_differs(
		"[syscalls]\ndeny EPERM = ioctl(arg1 == 1)\ndeny EACCES = ioctl(arg1 == 2)\n",
		"[syscalls]\ndeny EPERM = ioctl(arg1 == 1)\ndeny EACCES = ioctl(arg1 == 3)\n",
		"ioctl");
}

/* ---- against the filters themselves, on random policies and calls ---- */

static unsigned int pick(unsigned int below)
{
	return (unsigned int)random() % below;
}

/* For each section some rules, or none; often those of the other policy. */
static void append_random_rules(char *text, size_t chosen[4])
{
	static const char *const sections[][4] = {
		{"", "[files]\ndefault = allow\ndeny read = /a\n",
			"[files]\ndeny write = /a\ndefault = allow\n",
			"[files]\ndefault = allow\ndeny read metadata = /x\n"},
		{"", "", "[network]\nallow connect = tcp *:1\n",
			"[network]\ndefault = allow\ndeny connect = tcp *:1\n"},
		{"", "", "[sockets]\nallow = unix inet/stream\n",
			"[sockets]\ndeny = inet/dgram\ndefault = allow\n"},
		{"", "[syscalls]\ndeny EPERM = ioctl(arg1 == 1)\n",
			"[syscalls]\ndeny EPERM = ioctl(arg1 == 1) ptrace\n",
			"[syscalls]\ndeny EPERM = ioctl(arg1 & 3 == 1)\n"
			"deny EACCES = ioctl(arg1 < 4)\n"},
	};

	for (size_t i = 0; i < array_length(sections); i++) {
		chosen[i] = pick(3) == 0 ? pick(4) : chosen[i];
		strcat(text, sections[i][chosen[i]]);
	}
}

static void random_arguments(unsigned long long args[6])
{
	static const unsigned long long values[] = {0, 1, 2, 3, 4, 5, 10, O_WRONLY | O_CREAT,
		O_RDWR, O_PATH, O_TMPFILE, ~0ull, 0x80001};

	for (size_t i = 0; i < 6; i++) {
		args[i] = values[pick(array_length(values))];
	}
}

/* What follows must never want of a call what the filter does not do. */
static void check_calls(const struct filter *has, const struct filter *wants)
{
	unsigned long long args[6];

	for (int i = 0; i < 3000; i++) {
		int nr = (int)pick(470), has_error = 0, wants_error = 0;
		random_arguments(args);
		enum filter_answer a = filter_evaluate(has, SCMP_ARCH_X86_64, nr, args, &has_error);
		enum filter_answer b =
			filter_evaluate(wants, SCMP_ARCH_X86_64, nr, args, &wants_error);
		assert_true((a == FILTER_NOTIFY && b == FILTER_ALLOW) ||
			    (a == b && has_error == wants_error));
	}
}

static void what_follows_is_served_by_the_filter(void **state)
{
	unsigned int followed = 0, differed = 0;
	size_t chosen[4] = {0};

	(void)state;
	srandom(7);
	for (int i = 0; i < 400; i++) {
		char texts[2][1024] = {"", ""}, reason[FILTER_FOLLOW_REASON_MAX];
		append_random_rules(texts[0], chosen);
		append_random_rules(texts[1], chosen);
		cleanup_policy struct policy *running = policy_text(texts[0]);
		cleanup_policy struct policy *wanted = policy_text(texts[1]);
		int result = filter_follow(running, wanted, &options, reason);
		followed += result == FILTER_FOLLOWS;
		differed += result == FILTER_DIFFERS;
		if (result == FILTER_FOLLOWS) {
			struct filter has = {0}, wants = {0};
			assert_int_equal(filter_compile(&has, running, &options), 0);
			assert_int_equal(filter_compile(&wants, wanted, &options), 0);
			check_calls(&has, &wants);
			filter_finish(&has);
			filter_finish(&wants);
		}
	}
	assert_true(followed > 20);
	assert_true(differed > 20);
}

static int enter(void **state)
{
	(void)state;
	policy_text_enter();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_names_need_no_other_filter),
		cmocka_unit_test(what_is_asked_about_may_be_let_pass),
		cmocka_unit_test(what_is_not_asked_about_is_missed),
		cmocka_unit_test(what_the_kernel_refuses_stays_refused),
		cmocka_unit_test(the_order_of_rules_that_say_the_same_does_not_matter),
		cmocka_unit_test(what_follows_is_served_by_the_filter),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, enter, NULL);
}
