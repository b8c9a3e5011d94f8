/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict reader: what it hands on, and that nothing that inih would cut or read otherwise than
 * it looks gets past it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/ini.h"

/* What was told, a line each. */
struct log {
	FILE *out;
	char *text;
	size_t size;
	int result; /* what callbacks return */
};

static int on_section(void *user, const struct ini_piece *name)
{
	struct log *log = user;

	fprintf(log->out, "%u:%u [%s]\n", name->line, name->column, name->text);
	return log->result;
}

static int on_key(void *user, const struct ini_piece *key, const struct ini_piece *value)
{
	struct log *log = user;

	fprintf(log->out, "%u:%u '%s' %u:%u '%s'\n", key->line, key->column, key->text, value->line,
		value->column, value->text);
	return log->result;
}

static int on_more(void *user, const struct ini_piece *value)
{
	struct log *log = user;

	fprintf(log->out, "%u:%u + '%s'\n", value->line, value->column, value->text);
	return log->result;
}

static int on_mistake(void *user, unsigned int line, unsigned int column, const char *text)
{
	struct log *log = user;

	fprintf(log->out, "%u:%u ! %s\n", line, column, text);
	return log->result;
}

static const struct ini_handler handler = {on_section, on_key, on_more, on_mistake};

static void expect_bytes(const char *text, size_t size, const char *expected)
{
	struct log log = {.text = NULL};

	log.out = open_memstream(&log.text, &log.size);
	assert_non_null(log.out);
	assert_int_equal(ini_read(text, size, &handler, &log), 0);
	fclose(log.out);
	assert_string_equal(log.text, expected);
	free(log.text);
}

static void expect(const char *text, const char *expected)
{
	expect_bytes(text, strlen(text), expected);
}

static void hands_on_lines_with_their_places(void **state)
{
	(void)state;
	expect("; comment\n\n[files]\nallow  read =  /a /b ; comment\n\t/c\n# comment\n\n   /d\n"
	       "x=y\n[empty]\n[last]\r\nk = v\r\n",
		"3:2 [files]\n4:1 'allow  read' 4:16 '/a /b'\n5:2 + '/c'\n8:4 + '/d'\n"
		"9:1 'x' 9:3 'y'\n10:2 [empty]\n11:2 [last]\n12:1 'k' 12:5 'v'\n");
	expect("\xef\xbb\xbf[a]\nk =\n  v", "1:2 [a]\n2:1 'k' 2:4 ''\n3:3 + 'v'\n");
	expect("k = a;b #c \"d e\" = f : g [h]\n", "1:1 'k' 1:5 'a;b #c \"d e\" = f : g [h]'\n");
	expect("k = a\n  b ; c\n  ; d\n", "1:1 'k' 1:5 'a'\n2:3 + 'b'\n");
	expect("", "");
}

static void refuses_what_is_read_otherwise(void **state)
{
	(void)state;
	expect("k : v\n", "1:3 ! a key ends with '=', not with ':'\n");
	expect("k\nx = y\n", "1:2 ! a key, '=' and a value are expected here\n2:1 'x' 2:5 'y'\n");
	expect("= v\n", "1:1 ! there is no key before '='\n");
	expect("[a\nk = v\n", "1:3 ! a section's header ends with ']'\n");
	expect("[a] b\nk = v\n[c]\n",
		"1:5 ! nothing may stand behind a section's header\n3:2 [c]\n");
	expect("[a] ; b\n", "1:2 [a]\n");
	expect("  k = v\n",
		"1:1 ! an indented line goes on with the value above, and there is none; keys "
		"begin at the first column\n");
	expect("k = v\n[a]\n  b = c\n",
		"1:1 'k' 1:5 'v'\n2:2 [a]\n"
		"3:1 ! an indented line goes on with the value above, and there is none; keys "
		"begin at the first column\n");
	expect("k = \"a ;b\"\n", "1:8 ! a ';' behind a blank begins a comment, also in quotes\n");
	expect("k = a\x01\n", "1:6 ! a control character (0x01) in the line\n");
	expect("k = a\rb\n", "1:6 ! a control character (0x0d) in the line\n");
	expect_bytes("k = a\0b\n", 8, "1:6 ! a control character (0x00) in the line\n");
}

static void passes_over_what_hangs_on_a_mistake(void **state)
{
	(void)state;
	expect("a = 1\nb : 2\n  3\nc = 4\n",
		"1:1 'a' 1:5 '1'\n2:3 ! a key ends with '=', not with ':'\n4:1 'c' 4:5 '4'\n");
}

/* One byte less is read whole; inih would cut the longer one and call it right. */
static void refuses_long_lines(void **state)
{
	char line[400], expected[500];

	(void)state;
	for (size_t length = 190; length < 210; length++) {
		memset(line, 'x', sizeof(line));
		memcpy(line, "k = ", 4);
		line[length] = '\0';
		if (length <= INI_LINE_BYTES) {
			snprintf(expected, sizeof(expected), "1:1 'k' 1:5 '%s'\n", line + 4);
		} else {
			snprintf(expected, sizeof(expected),
				"1:198 ! the line has %zu bytes, 197 are read; go on in an "
				"indented line below\n",
				length);
		}
		expect(line, expected);
	}
	memset(line, 'x', 300);
	line[0] = ';';
	line[300] = '\0';
	expect(line, "");
}

static void refuses_long_section_names(void **state)
{
	char line[100], expected[120];

	(void)state;
	for (size_t length = 48; length < 52; length++) {
		snprintf(line, sizeof(line), "[%.*s]\n", (int)length,
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
		snprintf(expected, sizeof(expected), "1:2 %.*s\n", (int)length + 2, line);
		expect(line,
			length < 50 ? expected : "1:2 ! a section's name has at most 49 bytes\n");
	}
}

/* inih keeps 49 bytes of a key for the lines below it; no key is mistaken for another by that. */
static void keeps_long_keys(void **state)
{
	(void)state;
	expect("audit deny ECONNREFUSED read write create remove metadata execute = a\n b\n",
		"1:1 'audit deny ECONNREFUSED read write create remove metadata execute' 1:69 'a'\n"
		"2:2 + 'b'\n");
}

static void ends_where_a_callback_fails(void **state)
{
	struct log log = {.result = -ENOMEM};

	(void)state;
	log.out = open_memstream(&log.text, &log.size);
	assert_non_null(log.out);
	assert_int_equal(ini_read("[a]\nk = v\n", 10, &handler, &log), -ENOMEM);
	fclose(log.out);
	assert_string_equal(log.text, "1:2 [a]\n");
	free(log.text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hands_on_lines_with_their_places),
		cmocka_unit_test(refuses_what_is_read_otherwise),
		cmocka_unit_test(passes_over_what_hangs_on_a_mistake),
		cmocka_unit_test(refuses_long_lines),
		cmocka_unit_test(refuses_long_section_names),
		cmocka_unit_test(keeps_long_keys),
		cmocka_unit_test(ends_where_a_callback_fails),
	};

	return cmocka_run_group_tests_name("ini", tests, NULL, NULL);
}
