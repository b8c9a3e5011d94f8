/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of policies that are kept: the files may change and go, and all or nothing is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/texts.h"
#include "tests/unit/policy_text.h"

static const char *const directories[] = {"first", "second", "missing", NULL};

static void write_all(void)
{
	policy_text_write("second/part.ini", "[files]\ndeny EXDEV all = ${HOME}/secret\n");
	policy_text_write("first/one.ini",
		"[policy]\ninclude = part.ini\nfollow = yes\n[files]\ndefault = allow\n");
	policy_text_write("second/one.ini", "[files]\ndeny all = /second\n");
	policy_text_write("second/set.ini", "[files]\nallow read = ${WHERE}/** /x\n");
	policy_text_write("first/.hidden.ini", "nonsense\n");
	policy_text_write("first/note.txt", "nonsense\n");
	unlink("first/wrong.ini");
}

static int enter(void **state)
{
	(void)state;
	policy_text_enter();
	assert_int_equal(mkdir("first", 0755), 0);
	assert_int_equal(mkdir("second", 0755), 0);
	return 0;
}

static struct policy_texts *load(unsigned int flags, int expected, const char *mistake)
{
	struct policy_texts *texts = NULL;
	struct policy_report report = {0};

	assert_int_equal(policy_texts_load(&texts, directories, flags, &report), expected);
	assert_int_equal(report.error_count, mistake ? 1 : 0);
	if (mistake) {
		char line[256];
		(void)snprintf(line, sizeof(line), "%s:%u:%u: %s", report.items[0].file,
			report.items[0].line, report.items[0].column, report.items[0].text);
		assert_string_equal(line, mistake);
	}
	policy_report_finish(&report);
	return texts;
}

static struct policy *make(const struct policy_texts *texts, const char *name)
{
	const struct policy_options options = {
		.variables = {.home = "/h"}, .directories = directories, .texts = texts};
	struct policy *policy = NULL;
	struct policy_report report;
	const char *path = policy_texts_find(texts, name);

	assert_non_null(path);
	int result = policy_load(&policy, path, &options, &report);
	policy_report_finish(&report);
	assert_int_equal(result, 0);
	return policy;
}

static void what_is_kept_needs_no_file(void **state)
{
	(void)state;
	write_all();
	struct policy_texts *texts = load(0, 0, NULL);
	assert_int_equal(policy_texts_count(texts), 3);
	assert_string_equal(policy_texts_find(texts, "one"), "first/one.ini");
	assert_null(policy_texts_find(texts, "note"));
	policy_text_write("first/one.ini", "broken\n");
	unlink("second/part.ini");
	cleanup_policy struct policy *policy = make(texts, "one");
	struct policy_verdict verdict = policy_decide_file(policy, OPERATION_READ, "/h/secret");
	assert_int_equal(verdict.error, EXDEV);
	assert_string_equal(verdict.rule->origin.file, "second/part.ini");
	assert_true(policy_follows(policy));
	assert_int_equal(policy_decide_file(policy, OPERATION_READ, "/other").action, POLICY_ALLOW);
	policy_texts_free(texts);
}

static void a_mistake_anywhere_is_told_once_and_takes_nothing(void **state)
{
	static const char mistake[] =
		"first/wrong.ini:2:7: unknown operation 'raed'; did you mean 'read'?";

	(void)state;
	write_all();
	policy_text_write("first/wrong.ini", "[files]\nallow raed = /x\n");
	policy_text_write("first/also.ini", "[policy]\ninclude = wrong.ini\n");
	assert_null(load(0, -EINVAL, mistake));
	struct policy_texts *texts = load(POLICY_TEXTS_FORGIVING, 0, mistake);
	assert_int_equal(policy_texts_count(texts), 3);
	assert_null(policy_texts_find(texts, "wrong"));
	assert_null(policy_texts_find(texts, "also"));
	policy_texts_free(texts);
	unlink("first/wrong.ini");
	unlink("first/also.ini");
}

static void a_circle_is_found_among_kept_texts(void **state)
{
	struct policy_texts *texts;
	struct policy *policy = NULL;
	struct policy_report report;

	(void)state;
	write_all();
	/* A name that only a client has is read when the policy is made: by then it may be bad. */
	policy_text_write("first/round.ini", "[policy]\ninclude = ${HOME}\n");
	texts = load(0, 0, NULL);
	const struct policy_options options = {
		.variables = {.home = "round.ini"}, .directories = directories, .texts = texts};
	assert_int_equal(policy_load(&policy, "first/round.ini", &options, &report), -EINVAL);
	assert_non_null(strstr(report.items[0].text, "circle"));
	policy_report_finish(&report);
	policy_texts_free(texts);
	unlink("first/round.ini");
}

static void follow_is_yes_or_no(void **state)
{
	(void)state;
	policy_text_expect("[policy]\nfollow = maybe\n", 0,
		"t.ini:2:10: error: 'follow' is no or yes, and nothing else\n");
	policy_text_expect("[policy]\nfollow = yes\nfollow = no\n", 0,
		"t.ini:3:10: error: a second 'follow'; the first is in line 2\n");
	cleanup_policy struct policy *policy = policy_text("[policy]\nfollow = no\n");
	assert_false(policy_follows(policy));
	/* What an included file says of itself is not the policy's. */
	policy_text_write("follows.ini", "[policy]\nfollow = yes\n");
	cleanup_policy struct policy *other = policy_text("[policy]\ninclude = follows.ini\n");
	assert_false(policy_follows(other));
}

static void snapshots_follow_too_and_lend_their_variables(void **state)
{
	struct policy_report report;
	struct policy *next = NULL;

	(void)state;
	policy_text_write(
		"like.ini", "[policy]\nfollow = yes\n[files]\ndeny EXDEV all = ${HOME}/${X}\n");
	cleanup_policy struct policy *policy = NULL;
	assert_int_equal(policy_text_load_file(&policy, "like.ini", 0, &report), 0);
	policy_report_finish(&report);
	cleanup_fd int fd = policy_to_snapshot(policy);
	cleanup_policy struct policy *running = NULL;
	assert_int_equal(policy_from_snapshot(&running, fd), 0);
	assert_true(policy_follows(running));
	const struct policy_options options = {.like = running};
	assert_int_equal(policy_load(&next, "like.ini", &options, &report), 0);
	policy_report_finish(&report);
	assert_true(policy_is_same(running, next));
	assert_int_equal(
		policy_decide_file(next, OPERATION_READ, TEXT_HOME "/" TEXT_X).error, EXDEV);
	policy_free(next);
	policy_text_write("like.ini", "[files]\ndefault = allow\n");
	assert_int_equal(policy_load(&next, "like.ini", &options, &report), 0);
	policy_report_finish(&report);
	assert_false(policy_is_same(running, next));
	policy_free(next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_needs_no_file),
		cmocka_unit_test(a_mistake_anywhere_is_told_once_and_takes_nothing),
		cmocka_unit_test(a_circle_is_found_among_kept_texts),
		cmocka_unit_test(follow_is_yes_or_no),
		cmocka_unit_test(snapshots_follow_too_and_lend_their_variables),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, enter, NULL);
}
