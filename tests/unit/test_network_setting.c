/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `net =` of [policy]: what it says, who may narrow it and that nobody widens it; that a snapshot
 * has it; and that whoever was put into a network of his own finds no way back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter.h"
#include "tests/unit/policy_text.h"

/* The policy with what was asked for; NULL if that was refused. */
static struct policy *load(const char *text, enum wire_network asked)
{
	const struct policy_options options = {.network = asked};
	struct policy *policy = NULL;
	struct policy_report report;

	policy_text_write("n.ini", text);
	int r = policy_load(&policy, "n.ini", &options, &report);
	assert_int_equal(r, policy ? 0 : -EINVAL);
	policy_report_finish(&report);
	return policy;
}

static void is_the_narrower_of_both_or_refused(void **state)
{
	static const char *const texts[WIRE_NETWORKS] = {"[files]\n", "[policy]\nnet = host\n",
		"[policy]\nnet = broker\n", "[policy]\nnet = none\n"};

	(void)state;
	for (enum wire_network said = 0; said < WIRE_NETWORKS; said++) {
		for (enum wire_network asked = 0; asked < WIRE_NETWORKS; asked++) {
			cleanup_policy struct policy *policy = load(texts[said], asked);
			enum wire_network wider = asked > said ? asked : said;

			assert_int_equal(policy == NULL, asked != 0 && asked < said);
			if (policy) {
				assert_int_equal(
					policy_network(policy), wider ? wider : WIRE_NETWORK_HOST);
			}
		}
	}
}

static void tells_mistakes(void **state)
{
	(void)state;
	policy_text_expect("[policy]\nnet = borker\n", 0,
		"t.ini:2:7: error: 'borker' is not a network; did you mean 'broker'?; one of host, "
		"broker, none is expected\n");
	policy_text_expect(
		"[policy]\nnet = none host\n", 0, "t.ini:2:12: error: 'net' has one value\n");
	policy_text_expect("[policy]\nnet = none\nnet = host\n", 0,
		"t.ini:3:7: error: a second 'net'; the first is in line 2\n");
}

static void overrules_what_is_included(void **state)
{
	(void)state;
	policy_text_write("inner.ini", "[policy]\nnet = none\n");
	cleanup_policy struct policy *kept = load("[policy]\ninclude = inner.ini\n", 0);
	cleanup_policy struct policy *before =
		load("[policy]\nnet = broker\ninclude = inner.ini\n", 0);
	cleanup_policy struct policy *behind =
		load("[policy]\ninclude = inner.ini\nnet = host\n", 0);
	assert_int_equal(policy_network(kept), WIRE_NETWORK_NONE);
	assert_int_equal(policy_network(before), WIRE_NETWORK_BROKER);
	assert_int_equal(policy_network(behind), WIRE_NETWORK_HOST);
}

static void is_in_the_snapshot(void **state)
{
	cleanup_policy struct policy *policy = load("[policy]\nnet = broker\n", WIRE_NETWORK_NONE);
	cleanup_policy struct policy *copy = NULL;
	cleanup_fd int fd = policy_to_snapshot(policy);

	(void)state;
	assert_int_equal(policy_from_snapshot(&copy, fd), 0);
	assert_int_equal(policy_network(copy), WIRE_NETWORK_NONE);
}

/* setns(2) to a network namespace: by its kind, by any kind, and one of another kind. */
static void leaves_no_way_back(void **state)
{
	static const struct {
		const char *text;
		unsigned long long kind;
		enum filter_answer expected;
	} cases[] = {
		{"[policy]\nnet = none\n", CLONE_NEWNET, FILTER_ERRNO},
		{"[policy]\nnet = none\n", 0, FILTER_ERRNO},
		{"[policy]\nnet = none\n", CLONE_NEWNET | CLONE_NEWUSER, FILTER_ERRNO},
		{"[policy]\nnet = none\n", CLONE_NEWIPC, FILTER_NOTIFY},
		{"[policy]\nnet = broker\n", CLONE_NEWNET, FILTER_ERRNO},
		{"[policy]\nnet = host\n", CLONE_NEWNET, FILTER_ALLOW},
	};
	const struct filter_options options = {.targets_are_root = true};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		cleanup_policy struct policy *policy = load(cases[i].text, 0);
		const unsigned long long arguments[6] = {3, cases[i].kind};
		struct filter filter;
		int error = 0;

		assert_int_equal(filter_compile(&filter, policy, &options), 0);
		assert_int_equal(
			filter_evaluate(&filter, AUDIT_ARCH_X86_64, SYS_setns, arguments, &error),
			cases[i].expected);
		assert_int_equal(error, cases[i].expected == FILTER_ERRNO ? EPERM : 0);
		filter_finish(&filter);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_the_narrower_of_both_or_refused),
		cmocka_unit_test(tells_mistakes),
		cmocka_unit_test(overrules_what_is_included),
		cmocka_unit_test(is_in_the_snapshot),
		cmocka_unit_test(leaves_no_way_back),
	};

	policy_text_enter();
	return cmocka_run_group_tests_name("network_setting", tests, NULL, NULL);
}
