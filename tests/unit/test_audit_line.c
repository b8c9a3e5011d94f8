/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of the audit: they can be read again whole, and are harmless to who reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "audited.h"
#include "daemon/base/cleanup.h"
#include "daemon/broker/audit_record.h"

static char *to_json(const struct request *request, uint64_t dropped)
{
	struct audit_record *record = audit_record_new(request, true);

	assert_non_null(record);
	audit_record_look_up(record, NULL);
	char *line = audit_record_to_json(record, 42, dropped);
	audit_record_free(record);
	assert_non_null(line);
	return line;
}

static struct json_object *parse_line(const char *line)
{
	enum json_tokener_error error;
	const char *end = strchr(line, '\n');

	/* One line, no more. */
	assert_non_null(end);
	assert_int_equal(end[1], '\0');
	struct json_object *object = json_tokener_parse_verbose(line, &error);
	assert_int_equal(error, json_tokener_success);
	assert_int_equal(json_object_get_type(object), json_type_object);
	return object;
}

static void a_line_says_it_all(void **state)
{
	struct stage *stage = *state;
	cleanup_free char *line = to_json(audited_open(stage, "x/../y", "/a/y"), 3);
	struct json_object *object = parse_line(line);
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", stage->target);
	assert_string_equal(audited_text(object, "session"), "42");
	assert_string_equal(audited_text(object, "pid"), number);
	assert_string_equal(audited_text(object, "tid"), number);
	assert_string_equal(audited_text(object, "program"), "test_audit_line");
	assert_string_equal(audited_text(object, "call"), "openat");
	assert_string_equal(audited_text(object, "operation"), "read write");
	assert_string_equal(audited_text(object, "asked"), "x/../y");
	assert_string_equal(audited_text(object, "resolved"), "/a/y");
	assert_string_equal(audited_text(object, "verdict"), "deny");
	assert_string_equal(audited_text(object, "errno"), "EACCES");
	assert_string_equal(audited_text(object, "rule"), "/p/a.ini:7");
	assert_string_equal(audited_text(object, "dropped"), "3");
	assert_int_equal(
		strlen(audited_text(object, "time")), strlen("2026-01-01T00:00:00.000000Z"));
	json_object_put(object);
}

static void every_byte_is_told_apart(void **state)
{
	struct stage *stage = *state;
	cleanup_free char *other = NULL;
	char path[8];

	for (int byte = 1; byte < 256; byte++) {
		(void)snprintf(path, sizeof(path), "/a%cb", byte);
		cleanup_free char *line = to_json(audited_open(stage, path, path), 0);
		struct json_object *object = parse_line(line);
		cleanup_free char *asked = strdup(audited_text(object, "asked"));
		for (const char *c = asked; *c; c++) {
			assert_in_range(*c, 0x20, 0x7e);
		}
		if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
			assert_string_equal(asked, path);
		}
		assert_true(!other || strcmp(other, asked) != 0);
		/* Where nothing was resolved to something else there is nothing to say. */
		assert_null(audited_text(object, "resolved"));
		free(other);
		other = steal_pointer(&asked);
		json_object_put(object);
	}
}

static void what_looks_escaped_is_not_what_is(void **state)
{
	struct stage *stage = *state;
	cleanup_free char *control = to_json(audited_open(stage, "/a\nb", ""), 0);
	cleanup_free char *text = to_json(audited_open(stage, "/a\\x0ab", ""), 0);
	struct json_object *first = parse_line(control);
	struct json_object *second = parse_line(text);

	assert_string_equal(audited_text(first, "asked"), "/a\\x0ab");
	assert_string_equal(audited_text(second, "asked"), "/a\\\\x0ab");
	json_object_put(first);
	json_object_put(second);
}

static void words_for_people_have_no_control_characters(void **state)
{
	struct stage *stage = *state;
	struct request *request = audited_open(stage, "/a\x1b[31m\n\r\xff", "/b\x07");
	struct audit_record *record = audit_record_new(request, true);

	audit_record_look_up(record, NULL);
	memcpy(record->program.name, "\x1b]0;x", 6);
	cleanup_free char *line = audit_record_to_text(record, 5);
	assert_non_null(line);
	const char *second = strchr(line, '\n') + 1; /* the first says what was left out */
	assert_non_null(strstr(line, "5 decisions left out"));
	assert_non_null(strstr(second, "/a\\x1b[31m\\x0a\\x0d\\xff = /b\\x07"));
	for (const char *c = line; *c; c++) {
		assert_true(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
	}
	audit_record_free(record);
}

static void a_call_that_could_not_be_decoded_has_no_path(void **state)
{
	struct stage *stage = *state;
	struct request *request = audited_open(stage, "", "");

	request->result = -EFAULT;
	cleanup_free char *line = to_json(request, 0);
	struct json_object *object = parse_line(line);
	assert_string_equal(audited_text(object, "asked"), "");
	assert_string_equal(audited_text(object, "errno"), "EFAULT");
	json_object_put(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_it_all),
		cmocka_unit_test(every_byte_is_told_apart),
		cmocka_unit_test(what_looks_escaped_is_not_what_is),
		cmocka_unit_test(words_for_people_have_no_control_characters),
		cmocka_unit_test(a_call_that_could_not_be_decoded_has_no_path),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, stage_set_up, stage_tear_down);
}
