/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be executed: which rules go to the client, and which files they come to mean there. The
 * meaning is held against the policy's own answer for each file of a tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/landlock_walk.h"
#include "daemon/base/cleanup.h"
#include "daemon/policy/execute.h"
#include "daemon/policy/policy.h"
#include "tests/unit/policy_text.h"

static const struct {
	const char *text, *rules; /* blanks stand for NULs */
} cases[] = {
	{"[network]\n", ""},
	{"[files]\nallow read = /usr/**\n", ""},
	{"[files]\ndeny all = /home/**\nallow read = /**\n", ""},
	{"[files]\nallow execute = /usr/bin/** /bin/sh\n", "+/usr/bin/** +/bin/sh -/**"},
	{"[files]\ndefault = allow\ndeny execute = /tmp/**\n", "-/tmp/** +/**"},
	{"[files]\nallow read execute = /**\n", "+/** -/**"},
	{"[files]\ndefault = allow\ndeny all = /a/** /b/*.sh /c\nallow execute = /d\n"
	 "deny read = /e\n",
		"-/a/** -/c +/d +/**"},
	{"[files]\nallow execute = / /${X}/f\n", "+/a\\*b/f -/**"},
};

static void sends_what_can_be_enforced(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		cleanup_policy struct policy *policy = policy_text(cases[i].text);
		struct string_pack rules;

		assert_int_equal(execute_rules_make(&rules, policy), 0);
		cleanup_free char *words = calloc(1, rules.size + 1);
		assert_non_null(words);
		for (size_t k = 0; k < rules.size; k++) {
			words[k] = rules.text[k] ? rules.text[k] : ' ';
		}
		assert_int_equal(rules.size, rules.count == 0 ? 0 : strlen(cases[i].rules) + 1);
		if (rules.count > 0) {
			assert_memory_equal(words, cases[i].rules, rules.size - 1);
		}
		string_pack_finish(&rules);
	}
}

static void refuses_too_many(void **state)
{
	cleanup_free char *text = malloc(100000);
	cleanup_policy struct policy *policy = NULL;
	struct string_pack rules;
	char *end;

	(void)state;
	assert_non_null(text);
	end = stpcpy(text, "[files]\n");
	for (unsigned int i = 0; i < 1000; i++) {
		end += sprintf(end, "allow execute = /usr/lib/some/program/%u\n", i);
	}
	policy = policy_text(text);
	assert_int_equal(execute_rules_make(&rules, policy), -E2BIG);
	assert_null(rules.text);
}

/* A tree below the test's own directory: each directory has a file, a link and the next two. */
#define LEVELS 3

static void make_tree(char *path, unsigned int level)
{
	size_t length = strlen(path);

	assert_int_equal(mkdir(path, 0755), 0);
	strcpy(path + length, "/f");
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
	strcpy(path + length, "/link");
	assert_int_equal(symlink("f", path), 0);
	for (char name = 'a'; level > 0 && name <= 'b'; name++) {
		sprintf(path + length, "/%c", name);
		make_tree(path, level - 1);
	}
	path[length] = '\0';
}

struct granted {
	char *paths[16384]; /* all that lies beside our directory in /tmp */
	size_t count;
};

static int note(int fd, const char *name, bool is_directory, void *user)
{
	struct granted *granted = user;
	char link[64], path[4096];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	assert_true(length > 0);
	path[length] = '\0';
	assert_true(granted->count < array_length(granted->paths));
	assert_string_equal(path, name);
	(void)is_directory;
	granted->paths[granted->count++] = strdup(path);
	return 0;
}

/* As the kernel would: what was granted, or lies below a directory that was. */
static bool may_execute(const struct granted *granted, const char *path)
{
	for (size_t i = 0; i < granted->count; i++) {
		size_t length = strlen(granted->paths[i]);

		length -= length == 1;
		if (!strncmp(granted->paths[i], path, length) &&
			(path[length] == '\0' || path[length] == '/')) {
			return true;
		}
	}
	return false;
}

static void compare_tree(const struct policy *policy, const struct granted *granted, char *path,
	unsigned int level, const char *text)
{
	size_t length = strlen(path);
	struct policy_verdict verdict;

	strcpy(path + length, "/f");
	verdict = policy_decide_file(policy, OPERATION_EXECUTE, path);
	if ((verdict.action == POLICY_ALLOW) != may_execute(granted, path)) {
		fail_msg("%s: %s", text, path);
	}
	for (char name = 'a'; level > 0 && name <= 'b'; name++) {
		sprintf(path + length, "/%c", name);
		compare_tree(policy, granted, path, level - 1, text);
	}
	path[length] = '\0';
}

static void append_random(char *text, const char *root)
{
	unsigned int depth = (unsigned int)rand() % (LEVELS + 1);
	char *end = text + strlen(text) + sprintf(text + strlen(text), " %s", root);

	for (unsigned int i = 0; i < depth; i++) {
		end += sprintf(end, "/%c", rand() % 2 ? 'a' : 'b');
	}
	strcpy(end, rand() % 2 ? "/**" : "/f");
}

static size_t walk_policy(const struct policy *policy, struct granted *granted)
{
	struct landlock_rule_list list;
	struct string_pack rules;
	size_t count;

	assert_int_equal(execute_rules_make(&rules, policy), 0);
	assert_true(rules.count > 0);
	assert_int_equal(landlock_rule_list_read(&list, &rules, "+-"), 0);
	assert_int_equal(landlock_walk(&list, LANDLOCK_WALK_EXECUTING, note, granted), 0);
	landlock_rule_list_finish(&list);
	count = rules.count;
	string_pack_finish(&rules);
	return count;
}

static void grants_what_the_policy_allows(void **state)
{
	cleanup_free char *here = realpath(".", NULL);
	char root[4096], path[4096];
	unsigned int taken_apart = 0;

	(void)state;
	snprintf(root, sizeof(root), "%s/tree", here);
	strcpy(path, root);
	make_tree(path, LEVELS);
	srand(7);
	for (unsigned int i = 0; i < 300; i++) {
		cleanup_policy struct policy *policy = NULL;
		struct granted granted = {.count = 0};
		char text[32768];

		sprintf(text, "[files]\ndefault = deny\n");
		for (unsigned int k = 0; k < 5; k++) {
			strcat(text, rand() % 2 ? "allow execute =" : "deny execute read =");
			append_random(text, root);
			strcat(text, "\n");
		}
		policy = policy_text(text);
		walk_policy(policy, &granted);
		compare_tree(policy, &granted, path, LEVELS, text);
		taken_apart += granted.count > 2;
		for (size_t k = 0; k < granted.count; k++) {
			assert_null(strstr(granted.paths[k], "link"));
			free(granted.paths[k]);
		}
	}
	assert_in_range(taken_apart, 20, 280);
}

/* Along the way from the root to a denied file everything else stays allowed. */
static void takes_allowed_directories_apart(void **state)
{
	cleanup_free char *here = realpath(".", NULL);
	struct granted granted = {.count = 0};
	cleanup_policy struct policy *policy = NULL;
	char text[8192], denied[4096];

	(void)state;
	snprintf(denied, sizeof(denied), "%s/apart", here);
	close(open(denied, O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
	snprintf(text, sizeof(text), "[files]\ndefault = allow\ndeny execute = %s\n", denied);
	policy = policy_text(text);
	walk_policy(policy, &granted);
	assert_false(may_execute(&granted, denied));
	assert_true(may_execute(&granted, "/usr/bin/env"));
	snprintf(denied, sizeof(denied), "%s/t.ini", here);
	assert_true(may_execute(&granted, denied));
	/* What comes later to a directory that was taken apart is not allowed. */
	snprintf(denied, sizeof(denied), "%s/later", here);
	assert_false(may_execute(&granted, denied));
	for (size_t i = 0; i < granted.count; i++) {
		free(granted.paths[i]);
	}
}

/* A directory that is named as a file is no leave for what lies below it. */
static void a_name_is_not_a_tree(void **state)
{
	struct granted granted = {.count = 0};
	cleanup_policy struct policy *policy =
		policy_text("[files]\nallow execute = /usr /usr/bin\n");

	(void)state;
	walk_policy(policy, &granted);
	assert_int_equal(granted.count, 0);
}

static void refuses_rules_that_are_not_right(void **state)
{
	static const struct string_pack wrong[] = {
		{"+/a", 4, 2},
		{"+/a\0-/b/**", 12, 2},
		{"/\0-/**", 7, 2},
		{"+a\0-/**", 8, 2},
		{"+\0-/**", 7, 2},
		{"~/a\0-/**", 9, 2},
		{"-/\0+/", 6, 1},
	};
	struct landlock_rule_list list;

	(void)state;
	for (size_t i = 0; i < array_length(wrong); i++) {
		assert_int_equal(landlock_rule_list_read(&list, &wrong[i], "+-"), -EPROTO);
	}
	assert_int_equal(
		landlock_rule_list_read(&list, &(struct string_pack){"-/**", 5, 1}, "+-"), 0);
	landlock_rule_list_finish(&list);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_what_can_be_enforced),
		cmocka_unit_test(refuses_too_many),
		cmocka_unit_test(grants_what_the_policy_allows),
		cmocka_unit_test(takes_allowed_directories_apart),
		cmocka_unit_test(a_name_is_not_a_tree),
		cmocka_unit_test(refuses_rules_that_are_not_right),
	};

	policy_text_enter();
	return cmocka_run_group_tests_name("execute", tests, NULL, NULL);
}
