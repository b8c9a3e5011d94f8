/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatches of every shape: each number gets the action that was put down for it, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <stdlib.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter_program.h"

#define BEYOND  (FILTER_CALLS + 1)
#define FOREIGN (FILTER_CALLS + 2)

/* Answers are errnos, of which there can be as many as there are calls. */
static uint32_t answer(uint32_t error)
{
	return SECCOMP_RET_ERRNO | error;
}

static int ask(const struct filter *filter, unsigned int arch, int nr)
{
	const unsigned long long args[6] = {0};
	int error;

	assert_int_equal(filter_evaluate(filter, arch, nr, args, &error), FILTER_ERRNO);
	return error;
}

/* The answer of each number is its group's; a group is `width` numbers. */
static void check_groups(uint32_t width)
{
	static struct filter_dispatch dispatch;
	const struct filter_code none = {0};
	struct filter filter;

	dispatch.beyond = answer(BEYOND);
	dispatch.foreign = answer(FOREIGN);
	for (uint32_t nr = 0; nr < FILTER_CALLS; nr++) {
		dispatch.actions[nr] = answer(nr / width);
	}
	assert_int_equal(filter_program_make(&filter, &dispatch, &none), 0);
	for (int nr = 0; nr < FILTER_CALLS; nr++) {
		assert_int_equal(ask(&filter, seccomp_arch_native(), nr), nr / (int)width);
	}
	filter_finish(&filter);
}

static void each_number_has_its_own_action(void **state)
{
	(void)state;
	for (uint32_t width = 1; width <= FILTER_CALLS; width *= 2) {
		check_groups(width);
	}
	check_groups(3);
	check_groups(1000);
}

static struct filter program_of(const struct filter_code *blocks, uint32_t action)
{
	static struct filter_dispatch dispatch;
	struct filter filter;

	dispatch.beyond = answer(BEYOND);
	dispatch.foreign = answer(FOREIGN);
	for (uint32_t nr = 0; nr < FILTER_CALLS; nr++) {
		dispatch.actions[nr] = action;
	}
	assert_int_equal(filter_program_make(&filter, &dispatch, blocks), 0);
	return filter;
}

static void numbers_above_are_beyond_or_foreign(void **state)
{
	const struct filter_code none = {0};
	struct filter filter = program_of(&none, answer(0));
	unsigned int arch = seccomp_arch_native();

	(void)state;
	assert_int_equal(ask(&filter, arch, FILTER_CALLS - 1), 0);
	assert_int_equal(ask(&filter, arch, FILTER_CALLS), BEYOND);
	assert_int_equal(ask(&filter, arch, 0x3fffffff), BEYOND);
	assert_int_equal(ask(&filter, arch, -1), BEYOND);
	assert_int_equal(ask(&filter, AUDIT_ARCH_I386, 0), FOREIGN);
#ifdef __x86_64__
	assert_int_equal(ask(&filter, arch, 0x40000000), FOREIGN);
	assert_int_equal(ask(&filter, arch, -2), FOREIGN);
#endif
	filter_finish(&filter);
}

static void a_leaf_goes_to_its_block(void **state)
{
	struct sock_filter instructions[] = {BPF_STMT(BPF_RET | BPF_K, answer(11)),
		BPF_STMT(BPF_RET | BPF_K, answer(12)), BPF_STMT(BPF_RET | BPF_K, answer(13))};
	size_t starts[] = {0, 2};
	const struct filter_code blocks = {
		.instructions = instructions, .count = 3, .starts = starts};
	struct filter first = program_of(&blocks, FILTER_TO_BLOCK | 0);
	struct filter second = program_of(&blocks, FILTER_TO_BLOCK | 1);

	(void)state;
	assert_int_equal(ask(&first, seccomp_arch_native(), 7), 11);
	assert_int_equal(ask(&second, seccomp_arch_native(), 7), 13);
	filter_finish(&first);
	filter_finish(&second);
}

static void what_is_too_long_is_refused(void **state)
{
	static struct sock_filter instructions[BPF_MAXINSNS];
	static struct filter_dispatch dispatch;
	const struct filter_code blocks = {.instructions = instructions, .count = BPF_MAXINSNS};
	struct filter filter;

	(void)state;
	assert_int_equal(filter_program_make(&filter, &dispatch, &blocks), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_number_has_its_own_action),
		cmocka_unit_test(numbers_above_are_beyond_or_foreign),
		cmocka_unit_test(a_leaf_goes_to_its_block),
		cmocka_unit_test(what_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
