/* SPDX-License-Identifier: Apache-2.0 */
/* See policy_text.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/policy_text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

void policy_text_enter(void)
{
	const char *parent = getenv("TMPDIR");
	char directory[PATH_MAX];

	(void)snprintf(
		directory, sizeof(directory), "%s/policies-XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(directory) || chdir(directory) < 0) {
		abort();
	}
}

void policy_text_write(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

int policy_text_load_file(
	struct policy **policyp, const char *file, unsigned int flags, struct policy_report *report)
{
	static const char *const sets[] = {"X=" TEXT_X};
	static const char *const directories[] = {"include", NULL};
	const struct policy_options options = {
		.variables = {.home = TEXT_HOME,
			.user = "user",
			.uid = "1000",
			.cwd = TEXT_CWD,
			.sets = sets,
			.set_count = 1},
		.directories = directories,
		.flags = flags,
	};

	return policy_load(policyp, file, &options, report);
}

/* What the report prints; to be freed. */
static char *printed(const struct policy_report *report)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	policy_report_print(report, out, false);
	fclose(out);
	return text;
}

struct policy *policy_text(const char *text)
{
	struct policy *policy = NULL;
	struct policy_report report;
	cleanup_free char *out = NULL;

	policy_text_write("t.ini", text);
	policy_text_load_file(&policy, "t.ini", 0, &report);
	out = printed(&report);
	assert_string_equal(out, "");
	assert_non_null(policy);
	policy_report_finish(&report);
	return policy;
}

void policy_text_expect(const char *text, unsigned int flags, const char *expected)
{
	cleanup_policy struct policy *policy = NULL;
	struct policy_report report;
	cleanup_free char *out = NULL;
	int r;

	policy_text_write("t.ini", text);
	r = policy_text_load_file(&policy, "t.ini", flags, &report);
	out = printed(&report);
	assert_string_equal(out, expected);
	assert_int_equal(r != 0, report.error_count != 0);
	assert_int_equal(policy == NULL, report.error_count != 0);
	assert_int_equal(report.count, report.error_count + report.warning_count);
	policy_report_finish(&report);
}

void policy_text_append_random(char *text, const char *const *words, size_t count)
{
	size_t components = (size_t)rand() % 4;

	for (size_t i = 0; i < components; i++) {
		strcat(text, "/");
		strcat(text, words[(size_t)rand() % count]);
	}
	if (components == 0) {
		strcat(text, "/");
	}
}
