/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/stop.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"
#include "daemon/client.h"
#include "daemon/context.h"
#include "daemon/control.h"
#include "daemon/control_request.h"
#include "daemon/ending.h"
#include "daemon/journal.h"
#include "daemon/session.h"

#define GRACE_SECONDS 5

/* As whoever started us would stop us, but for good. */
static void stop(struct connection *connection)
{
	connection->control->context->is_stopped = true;
	struct json_object *answer = json_object_new_object();

	json_add(answer, "stops", json_object_new_boolean(true));
	connection_answer(connection, answer);
	(void)kill(getpid(), SIGTERM);
}

/* Those whose processes cannot be found are left to their brokers, who kill them when they call. */
static bool is_over(const struct context *context)
{
	return LIST_EMPTY(&context->sessions) ||
	       (context->stops_by_ending && LIST_EMPTY(&context->endings));
}

void stop_settle(struct context *context)
{
	if (context->stops_for && is_over(context)) {
		stop(steal_pointer(&context->stops_for));
	}
}

static void on_gone(struct connection *connection)
{
	struct context *context = connection->owner;

	context->stops_for = NULL;
	journal_notice("uid %u does not wait for the sessions' end any more: usherd serves on",
		connection->uid);
}

static void end_sessions(struct context *context, unsigned int grace_ms)
{
	const struct session *session;

	LIST_FOREACH(session, &context->sessions, entry)
	{
		(void)ending_begin(context, session->id, grace_ms);
	}
}

static void stop_later(struct connection *connection)
{
	struct context *context = connection->control->context;

	connection->owner = context;
	connection->on_gone = on_gone;
	context->stops_for = connection;
	client_refuse_all(context, "usherd is about to stop; use --embedded");
	stop_settle(context);
}

void answer_stop(struct connection *connection, struct json_object *request)
{
	struct context *context = connection->control->context;
	const char *sessions = control_string(request, "sessions", "refuse");
	unsigned int grace = (unsigned int)control_number(request, "grace", GRACE_SECONDS);

	if (strcmp(sessions, "refuse") != 0 && strcmp(sessions, "wait") != 0 &&
		strcmp(sessions, "end") != 0) {
		connection_refuse(connection, CONTROL_WRONG_VALUE, "sessions",
			"'%.40s' is none of refuse, wait and end", sessions);
		return;
	}
	if (context->stops_for) {
		connection_refuse(connection, CONTROL_BUSY, NULL, "usherd is about to stop");
		return;
	}
	if (strcmp(sessions, "refuse") == 0 && !LIST_EMPTY(&context->sessions)) {
		connection_refuse(connection, CONTROL_BUSY, "sessions",
			"sessions live: %u; wait for their end (usher stop --wait), or end them "
			"(usher stop --end)",
			context->sessions_tally.total);
		return;
	}
	journal_notice("stops for uid %u; sessions: %s", connection->uid, sessions);
	context->stops_by_ending = strcmp(sessions, "end") == 0;
	if (context->stops_by_ending) {
		end_sessions(context, grace * 1000);
	}
	stop_later(connection);
}
