/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/journal_record.h"

#include <assert.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#ifdef USHER_WITH_SYSTEMD
#include <systemd/sd-journal.h>
#endif

#include "daemon/base/cleanup.h"
#include "daemon/policy/policy.h"

#define FIELDS_MAX   24u
#define RECORD_DEPTH 2

static const char *const ids[] = {
	[JOURNAL_ALLOWED] = "08680fc7ed344f78b45799de2678aa33",
	[JOURNAL_DENIED] = "d9c04940f56e4c6d9144a6c25c1485bd",
	[JOURNAL_INJECTED] = "ebcaf6fa15b04f77bb20914d9fd523d9",
	[JOURNAL_KILLED] = "939316911bec4964be591d5b9b6478b9",
	[JOURNAL_BEGAN] = "cc42f70b6b3f49488a6a99dded774a0f",
	[JOURNAL_ENDED] = "aa8c5265a9d2435dbd8b880fcc6695ea",
	[JOURNAL_BROKER_DIED] = "aacadfbd8c7b445595a1aba3893a9e75",
	[JOURNAL_RELOAD_FAILED] = "16f8d0e12a1543bd8b3eae9f3317670f",
};
static_assert(array_length(ids) == JOURNAL_EVENTS, "an id for each event");
static_assert((int)POLICY_ALLOW == JOURNAL_ALLOWED && (int)POLICY_DENY == JOURNAL_DENIED &&
		      (int)POLICY_INJECT == JOURNAL_INJECTED && (int)POLICY_KILL == JOURNAL_KILLED,
	"a verdict's event has its number");

/* Members of a record, and the fields that they become. */
static const struct {
	const char *member, *field;
} record_fields[] = {
	{"verdict", "USHER_VERDICT"},
	{"operation", "USHER_OPERATION"},
	{"call", "USHER_CALL"},
	{"asked", "USHER_ASKED"},
	{"errno", "USHER_ERRNO"},
	{"rule", "USHER_RULE"},
	{"program", "USHER_PROGRAM"},
	{"pid", "USHER_PID"},
	{"microseconds", "USHER_MICROSECONDS"},
};

static bool takes_fields;

void journal_record_open(bool under_systemd)
{
#ifdef USHER_WITH_SYSTEMD
	takes_fields = under_systemd;
#else
	(void)under_systemd;
#endif
}

/* Fields on their way; each is NAME=VALUE, allocated. */
struct fields {
	struct iovec all[FIELDS_MAX];
	size_t count;
};

static __attribute__((format(printf, 2, 3))) void add(
	struct fields *fields, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length >= 0 && fields->count < FIELDS_MAX) {
		fields->all[fields->count++] = (struct iovec){text, (size_t)length};
	} else if (length >= 0) {
		free(text);
	}
}

static void begin(
	struct fields *fields, enum journal_event event, enum journal_level level, const char *text)
{
	add(fields, "MESSAGE_ID=%s", ids[event]);
	add(fields, "PRIORITY=%d", (int)level);
	add(fields, "SYSLOG_IDENTIFIER=usherd");
	add(fields, "MESSAGE=%s", text);
}

/* True if the journal has them. */
static bool submit(struct fields *fields)
{
	int result = -1;

#ifdef USHER_WITH_SYSTEMD
	result = sd_journal_sendv(fields->all, (int)fields->count);
#endif
	for (size_t i = 0; i < fields->count; i++) {
		free(fields->all[i].iov_base);
	}
	return result == 0;
}

static const char *text_of(struct json_object *record, const char *member)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(record, member, &value);
	return json_object_is_type(value, json_type_string) ||
			       json_object_is_type(value, json_type_int)
		       ? json_object_get_string(value)
		       : NULL;
}

/* The number of the verdict, or -1. */
static int verdict_of(struct json_object *record)
{
	const char *name = text_of(record, "verdict");

	for (int i = JOURNAL_ALLOWED; name && i <= JOURNAL_KILLED; i++) {
		if (strcmp(name, policy_action_name((enum policy_action)i)) == 0) {
			return i;
		}
	}
	return -1;
}

/* The same words as `usher run --verbose` has. */
static char *describe(const char *label, struct json_object *record)
{
	static const struct {
		const char *before, *member;
	} parts[] = {{" ", "verdict"}, {" ", "call"}, {" ", "operation"}, {" ", "asked"},
		{" = ", "resolved"}, {": ", "errno"}, {" [", "program"}, {" ", "pid"},
		{"] ", "rule"}};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out) {
		return NULL;
	}
	(void)fprintf(out, "%s:", label);
	for (size_t i = 0; i < array_length(parts); i++) {
		const char *part = text_of(record, parts[i].member);
		if (part) {
			(void)fprintf(out, "%s%s", parts[i].before, part);
		}
	}
	(void)fclose(out);
	return text;
}

/* What was decided on: a name, or an address. */
static void add_object(struct fields *fields, struct json_object *record)
{
	const char *resolved = text_of(record, "resolved");
	const char *object = resolved ? resolved : text_of(record, "asked");
	const char *operation = text_of(record, "operation");
	bool is_address =
		!operation || strcmp(operation, "connect") == 0 || strcmp(operation, "bind") == 0;

	if (object && object[0]) {
		add(fields, "%s=%s", is_address ? "USHER_ADDRESS" : "USHER_PATH", object);
	}
}

static bool send_record(
	const char *label, const char *policy, struct json_object *record, int verdict)
{
	cleanup_free char *text = describe(label, record);
	struct fields fields = {.count = 0};
	const char *session = strchr(label, ' ');

	begin(&fields, (enum journal_event)verdict, JOURNAL_NOTICE, text ? text : label);
	add(&fields, "USHER_SESSION=%s", session ? session + 1 : label);
	add(&fields, "USHER_POLICY=%s", policy);
	for (size_t i = 0; i < array_length(record_fields); i++) {
		const char *value = text_of(record, record_fields[i].member);
		if (value && value[0]) {
			add(&fields, "%s=%s", record_fields[i].field, value);
		}
	}
	add_object(&fields, record);
	return submit(&fields);
}

static struct json_object *parse(const char *line)
{
	struct json_tokener *tokener = takes_fields ? json_tokener_new_ex(RECORD_DEPTH) : NULL;

	if (!tokener) {
		return NULL;
	}
	struct json_object *record = json_tokener_parse_ex(tokener, line, (int)strlen(line) + 1);
	json_tokener_free(tokener);
	return record;
}

void journal_record(const char *label, const char *policy, const char *line)
{
	struct json_object *record = parse(line);
	int verdict = json_object_is_type(record, json_type_object) ? verdict_of(record) : -1;

	if (verdict < 0 || !send_record(label, policy, record, verdict)) {
		journal_write(JOURNAL_NOTICE, "%s: %s", label, line);
	}
	json_object_put(record);
}

void journal_event(enum journal_event event, enum journal_level level, uint64_t session,
	const char *policy, const char *format, ...)
{
	struct fields fields = {.count = 0};
	cleanup_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0) {
		text = NULL;
	}
	va_end(arguments);
	if (takes_fields && text) {
		begin(&fields, event, level, text);
		if (session > 0) {
			add(&fields, "USHER_SESSION=%" PRIu64, session);
		}
		if (policy) {
			add(&fields, "USHER_POLICY=%s", policy);
		}
		if (submit(&fields)) {
			return;
		}
	}
	journal_write(level, "%s", text ? text : "out of memory");
}
