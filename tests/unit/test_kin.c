/* SPDX-License-Identifier: Apache-2.0 */
/* Of the paths of policies at random exactly those are kin of which one begins as the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/kin.h"
#include "daemon/policy/model.h"
#include "daemon/policy/pattern.h"
#include "tests/unit/policy_text.h"

#define ROUNDS    200
#define PATHS_MAX 40u

static const struct pattern *pattern_of(const struct policy *policy, size_t index)
{
	return policy->paths[index].subject->path.pattern;
}

/* The reference: all pairs are looked at. */
static void expect_kin(const struct policy *policy, const struct kin *kin, size_t path)
{
	unsigned int met[PATHS_MAX] = {0};

	for (size_t i = kin_next(kin, path, path); i != path; i = kin_next(kin, path, i)) {
		assert_true(i < policy->path_count);
		assert_int_equal(met[i]++, 0);
	}
	for (size_t i = 0; i < policy->path_count; i++) {
		bool is_kin = i != path &&
			      !pattern_is_apart(pattern_of(policy, i), pattern_of(policy, path));

		assert_int_equal(met[i], is_kin);
	}
}

static struct policy *random_policy(void)
{
	static const char *const words[] = {"a", "ab", "b", "a*", "**", "[xy]"};
	char text[8192] = "[files]\nallow read =";

	for (size_t i = 0, count = 1 + (size_t)rand() % PATHS_MAX; i < count; i++) {
		strcat(text, "\n\t");
		policy_text_append_random(text, words, array_length(words));
	}
	strcat(text, "\n");
	return policy_text(text);
}

static void they_are_those_that_are_not_apart(void **state)
{
	(void)state;
	srand(1);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct policy *policy = random_policy();
		struct kin kin;

		assert_true(policy->path_count > 0 && policy->path_count <= PATHS_MAX);
		kin_find(&kin, policy);
		for (size_t path = 0; path < policy->path_count; path++) {
			expect_kin(policy, &kin, path);
		}
		policy_free(policy);
	}
}

static void as_many_as_there_may_be_are_found(void **state)
{
	char *text = NULL;
	size_t size, count = 0;
	FILE *stream = open_memstream(&text, &size);
	struct kin kin;

	(void)state;
	(void)fputs("[files]\nallow read =", stream);
	for (unsigned int i = 0; i < KIN_MAX; i++) {
		(void)fprintf(stream, "\n\t/d%u/e%u", i / 8, i);
	}
	(void)fputs("\n", stream);
	assert_int_equal(fclose(stream), 0);
	struct policy *policy = policy_text(text);
	assert_int_equal(policy->path_count, KIN_MAX);
	kin_find(&kin, policy);
	for (size_t path = 0; path < KIN_MAX; path++) {
		for (size_t i = kin_next(&kin, path, path); i != path;
			i = kin_next(&kin, path, i)) {
			count++;
		}
	}
	assert_int_equal(count, 0); /* none is another's beginning */
	policy_free(policy);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_those_that_are_not_apart),
		cmocka_unit_test(as_many_as_there_may_be_are_found),
	};

	policy_text_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
