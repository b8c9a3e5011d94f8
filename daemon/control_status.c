/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control_status.h"

#include <json-c/json.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/child.h"
#include "daemon/context.h"
#include "daemon/session.h"
#include "paths.h"

/* The counters of session.h under their public names. */
static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	{"allowed", offsetof(struct session_counters, allowed)},
	{"denied", offsetof(struct session_counters, denied)},
	{"injected", offsetof(struct session_counters, injected)},
	{"audit_dropped", offsetof(struct session_counters, audit_dropped)},
	{"broker_starts", offsetof(struct session_counters, broker_starts)},
};

static void add_string(struct json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name, text ? json_object_new_string(text) : NULL);
}

static void add_number(struct json_object *object, const char *name, uint64_t number)
{
	json_object_object_add(object, name, json_object_new_uint64(number));
}

static struct json_object *describe_session(const struct session *session, uint64_t now)
{
	struct json_object *object = json_object_new_object();
	const char *memory = (const char *)&session->memory->counters;

	add_number(object, "id", session->id);
	add_string(object, "state", session_state_name(session->state));
	add_string(object, "policy", session->policy);
	add_string(object, "user", session->user);
	add_number(object, "uid", session->peer.uid);
	add_number(object, "pid", (uint64_t)session->peer.pid);
	add_number(object, "broker", session->child ? (uint64_t)child_pid(session->child) : 0);
	add_string(object, "command", session->command);
	add_number(object, "started", (uint64_t)session->started);
	add_number(object, "age", (now - session->started_ms) / 1000);
	for (size_t i = 0; i < array_length(counters); i++) {
		const _Atomic uint64_t *counter = (const void *)(memory + counters[i].offset);
		add_number(object, counters[i].name, atomic_load(counter));
	}
	return object;
}

static struct json_object *describe_daemon(const struct context *context)
{
	struct json_object *object = json_object_new_object();

	add_string(object, "version", USHER_VERSION);
	add_number(object, "pid", (uint64_t)getpid());
	add_number(object, "uid", context->self.uid);
	return object;
}

struct json_object *control_status(const struct context *context, uid_t uid)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *sessions = json_object_new_array();
	bool sees_all = uid == 0 || uid == context->self.uid;
	const struct session *session;

	LIST_FOREACH(session, &context->sessions, entry)
	{
		if (sees_all || session->peer.uid == uid) {
			json_object_array_add(
				sessions, describe_session(session, uv_now(context->loop)));
		}
	}
	json_object_object_add(answer, "version", json_object_new_int(CONTROL_VERSION));
	json_object_object_add(answer, "daemon", describe_daemon(context));
	json_object_object_add(answer, "sessions", sessions);
	return answer;
}
