/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of the control socket against the table of its requests. Those who would answer are
 * stand-ins here, which only read what the table has let through; each line is answered once.
 */
#include <json-c/json.h>
#include <stdarg.h>

#include "daemon/control_request.h"
#include "tests/fuzz/fuzz.h"

static unsigned int answers;

static void read_all(struct connection *connection, struct json_object *request)
{
	(void)connection;
	must(json_object_is_type(request, json_type_object));
	json_object_object_foreach(request, name, value)
	{
		if (json_object_is_type(value, json_type_int)) {
			(void)control_number(request, name, 0);
		} else if (json_object_is_type(value, json_type_string)) {
			must(strlen(control_string(request, name, "")) <= CONTROL_TEXT_MAX);
		}
	}
	answers++;
}

/* The linker takes these for the daemon's own, and those for what is not here. */
#define STAND_IN(name)                                                        \
	void name(struct connection *connection, struct json_object *request) \
	{                                                                     \
		read_all(connection, request);                                \
	}
STAND_IN(answer_version)
STAND_IN(answer_help)
STAND_IN(answer_status)
STAND_IN(answer_sessions)
STAND_IN(answer_end)
STAND_IN(answer_metrics)

void connection_answer(struct connection *connection, struct json_object *answer)
{
	(void)connection;
	json_object_put(answer);
	answers++;
}

void connection_refuse(struct connection *connection, enum control_error error, const char *key,
	const char *format, ...)
{
	char text[512];
	va_list arguments;

	(void)connection;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_object_put(control_error_make(error, key, text));
	answers++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct connection connection;

	if (size >= CONTROL_LINE_MAX || memchr(data, '\n', size)) {
		return -1; /* the reader of lines lets none of these through */
	}
	char *line = malloc(size ? size : 1);
	must(line);
	memcpy(line, data, size);
	answers = 0;
	connection = (struct connection){.state = CONNECTION_ANSWERING, .uid = 1000};
	control_request(&connection, line, size);
	must(answers == 1);
	json_object_put(connection.tag);
	free(line);
	return 0;
}
