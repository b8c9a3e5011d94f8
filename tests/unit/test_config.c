/* SPDX-License-Identifier: Apache-2.0 */
/* usherd.ini: what is read of it, and where each mistake is said to be. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/cleanup.h"
#include "daemon/config.h"

#define FILE_NAME "usherd.ini"

static void write_file(const char *text)
{
	cleanup_file FILE *file = fopen(FILE_NAME, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

static struct config *load(const char *text)
{
	struct policy_report report = {0};
	struct config *config = NULL;

	write_file(text);
	int result = config_load(&config, FILE_NAME, &report);
	policy_report_print(&report, stderr, false);
	policy_report_finish(&report);
	assert_int_equal(result, 0);
	return config;
}

/* Holds all that is wrong with `text` against `expected`: "LINE:COLUMN: TEXT", one a line. */
static void expect_mistakes(const char *text, const char *expected)
{
	struct policy_report report = {0};
	struct config *config = NULL;
	char told[4096] = "";
	size_t length = 0;

	write_file(text);
	assert_int_equal(config_load(&config, FILE_NAME, &report), -EINVAL);
	assert_null(config);
	for (size_t i = 0; i < report.count; i++) {
		const struct policy_diagnostic *item = &report.items[i];
		assert_string_equal(item->file, FILE_NAME);
		assert_int_equal(item->severity, POLICY_ERROR);
		length += (size_t)snprintf(told + length, sizeof(told) - length, "%u:%u: %s\n",
			item->line, item->column, item->text);
	}
	policy_report_finish(&report);
	assert_string_equal(told, expected);
}

static void an_empty_file_has_the_defaults(void **state)
{
	struct config *config = load("");

	(void)state;
	assert_int_equal(config->sessions.total, 1024);
	assert_int_equal(config->sessions.per_user, 64);
	assert_int_equal(config->clients.total, 128);
	assert_int_equal(config->clients.per_user, 16);
	assert_int_equal(config->handshake_seconds, 10);
	assert_int_equal(config->socket_mode, geteuid() == 0 ? 0666 : 0600);
	assert_int_equal(config->socket_group, (gid_t)-1);
	assert_int_equal(config->control_group, 0);
	assert_true(config->audit);
	assert_true(config->policy_count > 0);
	assert_int_equal(config->grant_count, 0);
	config_unref(config);
}

static void every_key_is_read(void **state)
{
	struct config *config = load("[daemon]\n"
				     "socket = /tmp/u.sock\n"
				     "socket-mode = 0660\n"
				     "socket-group = 12\n"
				     "control-group = 13\n"
				     "metrics = /tmp/m.sock\n"
				     "metrics-mode = 0640\n"
				     "metrics-group = 14\n"
				     "policies = /a /b\n"
				     "  /c\n"
				     "audit = no\n"
				     "[limits]\n"
				     "sessions = 5\n"
				     "sessions-per-user = 4\n"
				     "clients = 3\n"
				     "clients-per-user = 2\n"
				     "handshake-timeout = 1\n");

	(void)state;
	assert_string_equal(config->file, FILE_NAME);
	assert_string_equal(config->socket, "/tmp/u.sock");
	assert_int_equal(config->socket_mode, 0660);
	assert_int_equal(config->socket_group, 12);
	assert_int_equal(config->control_group, 13);
	assert_string_equal(config->metrics, "/tmp/m.sock");
	assert_int_equal(config->metrics_mode, 0640);
	assert_int_equal(config->metrics_group, 14);
	assert_int_equal(config->policy_count, 3);
	assert_string_equal(config->policies[0], "/a");
	assert_string_equal(config->policies[2], "/c");
	assert_null(config->policies[3]);
	assert_false(config->audit);
	assert_int_equal(config->sessions.total, 5);
	assert_int_equal(config->sessions.per_user, 4);
	assert_int_equal(config->clients.total, 3);
	assert_int_equal(config->clients.per_user, 2);
	assert_int_equal(config->handshake_seconds, 1);
	config_unref(config);
}

static void grants_are_read(void **state)
{
	struct config *config = load("[grant one]\n"
				     "users = root 1234 *\n"
				     "policies = default web-*\n"
				     "[grant two]\n"
				     "groups = root 77\n"
				     "policies = *\n");

	(void)state;
	assert_int_equal(config->grant_count, 2);
	const struct grant *one = &config->grants[0], *two = &config->grants[1];
	assert_string_equal(one->name, "one");
	assert_true(one->any_user);
	assert_int_equal(one->user_count, 2);
	assert_int_equal(one->users[0], 0);
	assert_int_equal(one->users[1], 1234);
	assert_int_equal(one->policy_count, 2);
	assert_string_equal(one->policies[1], "web-*");
	assert_false(two->any_user);
	assert_int_equal(two->group_count, 2);
	assert_int_equal(two->groups[1], 77);
	config_unref(config);
}

static void unknown_words_are_mistakes(void **state)
{
	(void)state;
	expect_mistakes("key = 1\n[daemon]\nsocket-mod = 0600\n[limit]\nsessions = 1\n[grant ]\n",
		"1:1: 'key' stands in no section\n"
		"3:1: unknown key 'socket-mod' in this section\n"
		"4:2: unknown section 'limit'; there are [daemon], [limits] and [grant NAME]\n"
		"6:2: unknown section 'grant '; there are [daemon], [limits] and [grant NAME]\n");
}

static void wrong_values_are_mistakes(void **state)
{
	(void)state;
	expect_mistakes("[daemon]\n"
			"socket = usherd.sock\n"
			"socket-mode = 0999\n"
			"socket-group = no-such-group\n"
			"policies = /a relative\n"
			"   also-relative\n"
			"audit = maybe\n"
			"[limits]\n"
			"sessions = 0\n"
			"clients = 10001\n"
			"sessions-per-user = 99999999999999999999\n"
			"clients-per-user = -1\n"
			"handshake-timeout = 5s\n",
		"2:10: 'usherd.sock' is not an absolute path\n"
		"3:15: '0999' is not a mode, as 0660 is\n"
		"4:16: there is no group 'no-such-group'\n"
		"5:15: 'relative' is not an absolute path\n"
		"6:4: 'also-relative' is not an absolute path\n"
		"7:9: 'maybe' is neither yes nor no\n"
		"9:12: '0' is not a number from 1 to 100000\n"
		"10:11: '10001' is not a number from 1 to 10000\n"
		"11:21: '99999999999999999999' is not a number from 1 to 100000\n"
		"12:20: '-1' is not a number from 1 to 10000\n"
		"13:21: '5s' is not a number from 1 to 600\n");
}

static void values_have_the_right_number_of_words(void **state)
{
	(void)state;
	expect_mistakes("[daemon]\nsocket =\nsocket-mode = 0600 0660\naudit = yes\n  no\n",
		"2:9: 'socket' has no value\n"
		"3:20: '0660' is one word too many\n"
		"5:3: 'audit' has one value\n");
}

static void what_is_given_twice_is_a_mistake(void **state)
{
	(void)state;
	expect_mistakes("[limits]\nsessions = 1\nsessions = 2\n"
			"[grant a]\nusers = *\npolicies = *\n[grant a]\nusers = *\npolicies = *\n",
		"3:1: 'sessions' is given twice\n"
		"7:2: there is a grant 'a' already\n");
}

static void a_grant_that_is_not_whole_is_a_mistake(void **state)
{
	(void)state;
	expect_mistakes("[grant a]\nusers = *\n[grant b]\npolicies = *\n"
			"[grant c]\nusers = no-such-user\npolicies = /etc/x.ini\n",
		"6:9: there is no user 'no-such-user'\n"
		"7:12: '/etc/x.ini' is a path; policies are granted by their names in the policy "
		"directories\n"
		"0:0: [grant a] needs policies, and users or groups\n"
		"0:0: [grant b] needs policies, and users or groups\n"
		"0:0: [grant c] needs policies, and users or groups\n");
}

static void a_line_that_would_be_cut_is_a_mistake(void **state)
{
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), "[daemon]\nsocket = /%0300d\n", 0);
	write_file(text);
	struct policy_report report = {0};
	struct config *config = NULL;
	assert_int_equal(config_load(&config, FILE_NAME, &report), -EINVAL);
	assert_int_equal(report.count, 1);
	assert_int_equal(report.items[0].line, 2);
	policy_report_finish(&report);
}

static void a_file_that_is_missing_is_a_mistake(void **state)
{
	struct policy_report report = {0};
	struct config *config = NULL;

	(void)state;
	assert_int_equal(config_load(&config, "no-such-file", &report), -ENOENT);
	assert_int_equal(report.error_count, 1);
	policy_report_finish(&report);
}

static void root_refuses_what_others_can_write(void **state)
{
	struct policy_report report = {0};
	struct config *config = NULL;

	(void)state;
	write_file("");
	assert_int_equal(chmod(FILE_NAME, 0666), 0);
	int result = config_load(&config, FILE_NAME, &report);
	assert_int_equal(result, geteuid() == 0 ? -EPERM : 0);
	assert_int_equal(report.error_count, geteuid() == 0 ? 1 : 0);
	config_unref(config);
	policy_report_finish(&report);
	assert_int_equal(unlink(FILE_NAME), 0);
}

static void the_last_reference_frees(void **state)
{
	struct config *config = load("");

	(void)state;
	assert_ptr_equal(config_ref(config), config);
	config_unref(config);
	assert_int_equal(config->references, 1);
	config_unref(config);
}

/* Takes the comment off a line of the example that shows a key or goes on with a value. */
static const char *uncomment(const char *line)
{
	size_t word =
		strncmp(line, "; ", 2) == 0 ? strspn(line + 2, "abcdefghijklmnopqrstuvwxyz-") : 0;
	bool is_key = word > 0 && strncmp(line + 2 + word, " = ", 3) == 0;

	return is_key || strncmp(line, ";   /", 5) == 0 ? line + 2 : line;
}

/* The example with its keys in force, up to the grants. Returns how many keys there are. */
static int write_example(void)
{
	cleanup_file FILE *example = fopen(EXAMPLE_FILE, "r");
	cleanup_file FILE *file = fopen(FILE_NAME, "w");
	char line[512];
	int keys = 0;

	assert_non_null(example);
	assert_non_null(file);
	while (fgets(line, sizeof(line), example) && strncmp(line, "; [grant", 8) != 0) {
		const char *text = uncomment(line);
		keys += text != line && text[0] != ' ';
		assert_true(fputs(text, file) >= 0);
	}
	return keys;
}

static void the_example_shows_every_key_with_its_default(void **state)
{
	struct policy_report report = {0};
	struct config *config = NULL;

	(void)state;
	assert_int_equal(write_example(), 14);
	int result = config_load(&config, FILE_NAME, &report);
	policy_report_print(&report, stderr, false);
	policy_report_finish(&report);
	assert_int_equal(result, 0);
	struct config *defaults = load("");
	assert_string_equal(config->socket, "/run/usher/usherd.sock");
	assert_int_equal(config->socket_mode, 0666);
	assert_string_equal(config->metrics, "/run/usher/metrics.sock");
	assert_int_equal(config->metrics_mode, defaults->metrics_mode);
	assert_int_equal(config->audit, defaults->audit);
	assert_memory_equal(&config->sessions, &defaults->sessions, sizeof(defaults->sessions));
	assert_memory_equal(&config->clients, &defaults->clients, sizeof(defaults->clients));
	assert_int_equal(config->handshake_seconds, defaults->handshake_seconds);
	assert_string_equal(config->policies[0], "/etc/usher/policies");
	config_unref(config);
	config_unref(defaults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_has_the_defaults),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(grants_are_read),
		cmocka_unit_test(unknown_words_are_mistakes),
		cmocka_unit_test(wrong_values_are_mistakes),
		cmocka_unit_test(values_have_the_right_number_of_words),
		cmocka_unit_test(what_is_given_twice_is_a_mistake),
		cmocka_unit_test(a_grant_that_is_not_whole_is_a_mistake),
		cmocka_unit_test(a_line_that_would_be_cut_is_a_mistake),
		cmocka_unit_test(a_file_that_is_missing_is_a_mistake),
		cmocka_unit_test(root_refuses_what_others_can_write),
		cmocka_unit_test(the_last_reference_frees),
		cmocka_unit_test(the_example_shows_every_key_with_its_default),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
