/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control_describe.h"

#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"
#include "daemon/child.h"
#include "daemon/config.h"
#include "daemon/context.h"
#include "daemon/control.h"
#include "daemon/control_connection.h"
#include "daemon/session.h"
#include "paths.h"

/* The counters of session.h under their public names. */
static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	{"allowed", offsetof(struct session_memory, counters.allowed)},
	{"denied", offsetof(struct session_memory, counters.denied)},
	{"injected", offsetof(struct session_memory, counters.injected)},
	{"audit_dropped", offsetof(struct session_memory, counters.audit_dropped)},
	{"untold", offsetof(struct session_memory, statistics.untold)},
	{"broker_starts", offsetof(struct session_memory, counters.broker_starts)},
};

static void add_number(struct json_object *object, const char *name, uint64_t number)
{
	json_add(object, name, json_object_new_uint64(number));
}

static void add_counters(struct json_object *object, const struct session_memory *memory)
{
	for (size_t i = 0; i < array_length(counters); i++) {
		const _Atomic uint64_t *counter =
			(const void *)((const char *)memory + counters[i].offset);
		add_number(object, counters[i].name, atomic_load(counter));
	}
}

/* Answers in all, and how they are spread over the delays. */
static void add_delays(struct json_object *object, const struct session_memory *memory)
{
	struct json_object *delays = json_object_new_array();
	uint64_t answers = 0;

	for (size_t i = 0; i < SESSION_DELAYS; i++) {
		uint64_t count = atomic_load(&memory->statistics.delays[i]);
		json_append(delays, json_object_new_uint64(count));
		answers += count;
	}
	add_number(object, "answers", answers);
	json_add(object, "delays", delays);
}

struct json_object *control_describe_session(struct session *session)
{
	struct json_object *object = json_object_new_object();
	uint64_t now = uv_now(session->context->loop);

	add_number(object, "id", session->id);
	json_add_text(object, "state", session_state_name(session->state));
	json_add_text(object, "policy", session->policy);
	json_add_text(object, "user", session->user);
	add_number(object, "uid", session->peer.uid);
	add_number(object, "pid", (uint64_t)session->peer.pid);
	add_number(object, "broker", session->child ? (uint64_t)child_pid(session->child) : 0);
	json_add_text(object, "command", session->command);
	add_number(object, "started", (uint64_t)session->started);
	add_number(object, "age", (now - session->started_ms) / 1000);
	add_counters(object, session->memory);
	add_delays(object, session->memory);
	json_add(object, "rate", json_object_new_double(session_rate(session)));
	return object;
}

struct json_object *control_describe_daemon(const struct context *context)
{
	struct json_object *object = json_object_new_object();

	json_add_text(object, "version", USHER_VERSION);
	add_number(object, "pid", (uint64_t)getpid());
	add_number(object, "uid", context->self.uid);
	json_add_text(object, "config", context->config->file);
	add_number(object, "started", (uint64_t)context->started);
	add_number(object, "sessions", context->sessions_tally.total);
	add_number(object, "sessions_limit", context->config->sessions.total);
	return object;
}

struct json_object *control_describe_greeting(const struct connection *connection)
{
	struct json_object *object = json_object_new_object();

	json_add_text(object, "hello", "usherd");
	add_number(object, "version", CONTROL_VERSION);
	json_add_text(object, "release", USHER_VERSION);
	json_add_text(object, "sees", connection->is_administrator ? "all" : "own");
	return object;
}

bool control_may_see(const struct connection *connection, const struct session *session)
{
	return connection->is_administrator || session->peer.uid == connection->uid;
}
