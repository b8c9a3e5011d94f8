/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/monitor.h"

#include <assert.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"
#include "daemon/context.h"
#include "daemon/control.h"
#include "daemon/control_describe.h"
#include "daemon/control_request.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/words.h"
#include "daemon/session.h"

#define RECORD_DEPTH_MAX 2

/* One connection that watches, and what it wants to see; lists that are NULL are all. */
struct watcher {
	LIST_ENTRY(watcher) entry;
	struct context *context;
	struct connection *connection;
	struct json_object *request; /* kept for its lists */
	struct json_object *sessions, *operations;
	const char *policy, *path;
	uint32_t verdicts; /* a bit for each enum session_verdict */
};

/* The members of a record that are passed on. */
static const struct {
	const char *name;
	enum json_type type;
} members[] = {
	{"time", json_type_string},
	{"pid", json_type_int},
	{"tid", json_type_int},
	{"program", json_type_string},
	{"call", json_type_string},
	{"operation", json_type_string},
	{"asked", json_type_string},
	{"resolved", json_type_string},
	{"verdict", json_type_string},
	{"errno", json_type_string},
	{"rule", json_type_string},
	{"microseconds", json_type_int},
};

static bool list_has_number(struct json_object *list, uint64_t number)
{
	size_t count = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++) {
		if (json_object_get_uint64(json_object_array_get_idx(list, i)) == number) {
			return true;
		}
	}
	return !list;
}

static bool watches(const struct watcher *watcher, const struct session *session)
{
	return control_may_see(watcher->connection, session) &&
	       list_has_number(watcher->sessions, session->id) &&
	       (!watcher->policy || strcmp(watcher->policy, session->policy) == 0);
}

/* What the session's broker is to tell of. */
static void refresh(struct session *session)
{
	uint32_t verdicts = 0;
	const struct watcher *watcher;

	LIST_FOREACH(watcher, &session->context->watchers, entry)
	{
		verdicts |= watches(watcher, session) ? watcher->verdicts : 0;
	}
	atomic_store(&session->memory->watched, verdicts);
}

static void refresh_all(struct context *context)
{
	struct session *session;

	LIST_FOREACH(session, &context->sessions, entry)
	{
		refresh(session);
	}
}

static void on_gone(struct connection *connection)
{
	struct watcher *watcher = connection->owner;

	LIST_REMOVE(watcher, entry);
	refresh_all(watcher->context);
	json_object_put(watcher->request);
	free(watcher);
}

static const char *string_of(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(object, name, &value) ? json_object_get_string(value) : "";
}

/* The verdict's number, or -1. */
static int verdict_of(const char *name)
{
	for (int i = 0; i < SESSION_VERDICTS; i++) {
		if (strcmp(name, policy_action_name((enum policy_action)i)) == 0) {
			return i;
		}
	}
	return -1;
}

static bool is_operation(const char *name)
{
	for (unsigned int bit = 1; bit & (OPERATIONS_FILES | OPERATIONS_NETWORK); bit <<= 1) {
		if (strcmp(name, policy_operation_name(bit)) == 0) {
			return true;
		}
	}
	return false;
}

/* Is one of the words of `text` in the list? */
static bool list_has_word(struct json_object *list, const char *text)
{
	size_t count = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(list, i));
		size_t length = strlen(word);
		for (const char *at = text; (at = strstr(at, word)); at += length) {
			if ((at == text || at[-1] == ' ') &&
				(at[length] == '\0' || at[length] == ' ')) {
				return true;
			}
		}
	}
	return !list;
}

/* A name, or two of them: "FROM -> TO". */
static bool name_matches(const char *glob, const char *text)
{
	const char *arrow = strstr(text, " -> ");

	if (fnmatch(glob, text, 0) == 0) {
		return true;
	}
	cleanup_free char *from = arrow ? strndup(text, (size_t)(arrow - text)) : NULL;
	return from && (fnmatch(glob, from, 0) == 0 || fnmatch(glob, arrow + 4, 0) == 0);
}

static bool wants(const struct watcher *watcher, struct json_object *event, int verdict)
{
	return (watcher->verdicts & (1u << verdict)) &&
	       list_has_word(watcher->operations, string_of(event, "operation")) &&
	       (!watcher->path || name_matches(watcher->path, string_of(event, "asked")) ||
		       name_matches(watcher->path, string_of(event, "resolved")));
}

static struct json_object *make_event(const char *name, const struct session *session)
{
	struct json_object *event = json_object_new_object();

	json_add(event, "event", json_object_new_string(name));
	json_add(event, "session", json_object_new_uint64(session->id));
	json_add(event, "policy", json_object_new_string(session->policy));
	return event;
}

/* Consumes `event`. `verdict` -1: it is for all who watch the session. */
static void tell(const struct session *session, struct json_object *event, int verdict)
{
	struct watcher *watcher, *next;

	for (watcher = LIST_FIRST(&session->context->watchers); watcher; watcher = next) {
		next = LIST_NEXT(watcher, entry); /* one who is too slow goes */
		if (watches(watcher, session) && (verdict < 0 || wants(watcher, event, verdict))) {
			connection_tell(watcher->connection, json_object_get(event));
		}
	}
	json_object_put(event);
}

static struct json_object *parse_record(const char *text)
{
	struct json_tokener *tokener = json_tokener_new_ex(RECORD_DEPTH_MAX);

	if (!tokener) {
		return NULL;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *record = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
	json_tokener_free(tokener);
	return record;
}

static void tell_untold(struct session *session)
{
	uint64_t untold = atomic_load(&session->memory->statistics.untold);

	if (untold != session->untold) {
		struct json_object *event = make_event("left-out", session);
		json_add(event, "count", json_object_new_uint64(untold - session->untold));
		session->untold = untold;
		tell(session, event, -1);
	}
}

void monitor_decision(struct session *session, const char *record_text)
{
	struct json_object *record =
		LIST_EMPTY(&session->context->watchers) ? NULL : parse_record(record_text);

	if (!json_object_is_type(record, json_type_object)) {
		json_object_put(record);
		return;
	}
	struct json_object *event = make_event("decision", session);
	for (size_t i = 0; i < array_length(members); i++) {
		struct json_object *value = NULL;
		if (json_object_object_get_ex(record, members[i].name, &value) &&
			json_object_is_type(value, members[i].type)) {
			json_add(event, members[i].name, json_object_get(value));
		}
	}
	json_object_put(record);
	int verdict = verdict_of(string_of(event, "verdict"));
	tell_untold(session);
	if (verdict < 0) {
		json_object_put(event);
		return;
	}
	tell(session, event, verdict);
}

void monitor_began(struct session *session)
{
	struct json_object *event;

	if (LIST_EMPTY(&session->context->watchers)) {
		return;
	}
	refresh(session);
	event = make_event("began", session);
	json_add(event, "uid", json_object_new_uint64(session->peer.uid));
	json_add(event, "pid", json_object_new_int(session->peer.pid));
	json_add(event, "command", json_object_new_string(session->command));
	tell(session, event, -1);
}

void monitor_ended(struct session *session)
{
	if (!LIST_EMPTY(&session->context->watchers)) {
		tell_untold(session);
		tell(session, make_event("ended", session), -1);
	}
}

/* The words of a list as bits, or 0 with the answer given. */
static uint32_t read_verdicts(struct connection *connection, struct json_object *list)
{
	size_t count = list ? json_object_array_length(list) : 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < count; i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(list, i));
		int verdict = verdict_of(word);
		if (verdict < 0) {
			connection_refuse(connection, CONTROL_WRONG_VALUE, "verdicts",
				"'%.40s' is no verdict; there are allow, deny, inject and kill",
				word);
			return 0;
		}
		bits |= 1u << verdict;
	}
	return count > 0 ? bits : (1u << SESSION_VERDICTS) - 1;
}

static void refuse_operation(struct connection *connection, const char *word)
{
	struct nearest nearest = NEAREST_TO(word, strlen(word));
	char hint[NEAREST_HINT_MAX];

	nearest_offer_words(&nearest, &file_operation_words);
	nearest_offer_words(&nearest, &network_operation_words);
	connection_refuse(connection, CONTROL_WRONG_VALUE, "operations",
		"'%.40s' is no operation of usher-policy(5)%s", word,
		nearest_hint(&nearest, hint, sizeof(hint)));
}

static bool check_operations(struct connection *connection, struct json_object *list)
{
	size_t count = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(list, i));
		if (!is_operation(word)) {
			refuse_operation(connection, word);
			return false;
		}
	}
	return true;
}

/* An empty list is none. */
static struct json_object *list_of(struct json_object *request, const char *key)
{
	struct json_object *list = NULL;

	json_object_object_get_ex(request, key, &list);
	return list && json_object_array_length(list) > 0 ? list : NULL;
}

void answer_monitor(struct connection *connection, struct json_object *request)
{
	uint32_t verdicts = read_verdicts(connection, list_of(request, "verdicts"));
	struct json_object *operations = list_of(request, "operations");

	if (verdicts == 0 || !check_operations(connection, operations)) {
		return;
	}
	struct watcher *watcher = calloc(1, sizeof(*watcher));
	if (!watcher) {
		connection_refuse(connection, CONTROL_FAILED, NULL, "out of memory");
		return;
	}
	*watcher = (struct watcher){.context = connection->control->context,
		.connection = connection,
		.request = json_object_get(request),
		.sessions = list_of(request, "sessions"),
		.operations = operations,
		.policy = control_string(request, "policy", NULL),
		.path = control_string(request, "path", NULL),
		.verdicts = verdicts};
	LIST_INSERT_HEAD(&watcher->context->watchers, watcher, entry);
	connection->on_gone = on_gone;
	connection->owner = watcher;
	refresh_all(watcher->context);
	connection_watch(connection, json_object_new_object());
}
