/* SPDX-License-Identifier: Apache-2.0 */
/* The requests that are answered at once, from what the daemon knows. */
#include <inttypes.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"
#include "daemon/context.h"
#include "daemon/control.h"
#include "daemon/control_describe.h"
#include "daemon/control_request.h"
#include "daemon/ending.h"
#include "daemon/journal.h"
#include "daemon/metrics.h"
#include "daemon/session.h"
#include "paths.h"

#define GRACE_SECONDS 5

void answer_version(struct connection *connection, struct json_object *request)
{
	struct json_object *answer = json_object_new_object();

	(void)request;
	json_add(answer, "version", json_object_new_int(CONTROL_VERSION));
	json_add(answer, "release", json_object_new_string(USHER_VERSION));
	connection_answer(connection, answer);
}

void answer_help(struct connection *connection, struct json_object *request)
{
	(void)request;
	connection_answer(connection, control_describe_requests());
}

/* Those that the asker may see, and asks for. */
static struct json_object *list_sessions(
	const struct connection *connection, struct json_object *request)
{
	struct json_object *sessions = json_object_new_array();
	uint64_t id = control_number(request, "session", 0);
	const char *policy = control_string(request, "policy", NULL);
	struct session *session;

	LIST_FOREACH(session, &connection->control->context->sessions, entry)
	{
		if (control_may_see(connection, session) && (id == 0 || session->id == id) &&
			(!policy || strcmp(session->policy, policy) == 0)) {
			json_append(sessions, control_describe_session(session));
		}
	}
	return sessions;
}

void answer_status(struct connection *connection, struct json_object *request)
{
	struct json_object *answer = json_object_new_object();

	json_add(answer, "daemon", control_describe_daemon(connection->control->context));
	json_add(answer, "sessions", list_sessions(connection, request));
	connection_answer(connection, answer);
}

void answer_sessions(struct connection *connection, struct json_object *request)
{
	struct json_object *answer = json_object_new_object();

	json_add(answer, "sessions", list_sessions(connection, request));
	connection_answer(connection, answer);
}

/* One whose session it is not learns no more than one who made the number up. */
void answer_end(struct connection *connection, struct json_object *request)
{
	struct context *context = connection->control->context;
	uint64_t id = control_number(request, "session", 0);
	uint64_t grace = control_number(request, "grace", GRACE_SECONDS);
	struct session *session = session_find(context, id);
	struct json_object *answer;

	if (!session || !control_may_see(connection, session)) {
		connection_refuse(connection, CONTROL_NOT_FOUND, "session",
			"you have no session %" PRIu64, id);
		return;
	}
	journal_notice("%s: is ended for uid %u", session->label, connection->uid);
	int result = ending_begin(context, id, (unsigned int)grace * 1000);
	if (result < 0) {
		connection_refuse(connection, CONTROL_FAILED, NULL, "it cannot be ended: %s",
			strerror(-result));
		return;
	}
	answer = json_object_new_object();
	json_add(answer, "session", json_object_new_uint64(id));
	json_add(answer, "signalled", json_object_new_int(result));
	connection_answer(connection, answer);
}

void answer_metrics(struct connection *connection, struct json_object *request)
{
	const struct context *context = connection->control->context;
	cleanup_free char *text =
		metrics_render(context, connection->is_administrator ? NULL : &connection->uid);
	struct json_object *answer = json_object_new_object();

	(void)request;
	json_add(answer, "metrics", text ? json_object_new_string(text) : NULL);
	connection_answer(connection, answer);
}
