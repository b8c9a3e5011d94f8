/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"
#include "daemon/config.h"
#include "daemon/context.h"
#include "daemon/control.h"
#include "daemon/control_request.h"
#include "daemon/journal.h"
#include "daemon/journal_record.h"
#include "daemon/policy/texts.h"
#include "daemon/pool.h"
#include "daemon/reload_plan.h"
#include "daemon/service.h"
#include "daemon/session.h"
#include "daemon/session_follow.h"

/* As long as brokers may take to say that they hold by the new policy. */
#define GIVING_MS 5000u

struct reload {
	struct context *context;
	struct connection *connection; /* NULL: nobody waits for the answer */
	bool again;                    /* somebody has asked for another meanwhile */
	const char *file;
	struct config *config; /* the new one */
	struct policy_report report;
	int error;
	struct reload_plan *plans;
	size_t plan_count, pending;
	uint64_t number;
	uv_work_t work;
	uv_timer_t timer;
};

static void load_plans(struct reload *reload)
{
	for (size_t i = 0; i < reload->plan_count && reload->error == 0; i++) {
		reload->error = reload_plan_make(&reload->plans[i], reload->config);
	}
}

static void work(uv_work_t *work)
{
	struct reload *reload = container_of(work, struct reload, work);

	reload->error = config_load(&reload->config, reload->file, &reload->report);
	if (reload->error == 0) {
		reload->error = config_load_policies(reload->config, 0, &reload->report);
	}
	load_plans(reload);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct reload *reload = container_of((uv_timer_t *)handle, struct reload, timer);

	for (size_t i = 0; i < reload->plan_count; i++) {
		reload_plan_finish(&reload->plans[i]);
	}
	free(reload->plans);
	policy_report_finish(&reload->report);
	config_unref(reload->config);
	free(reload);
}

static struct json_object *describe_mistakes(const struct policy_report *report)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < report->count; i++) {
		const struct policy_diagnostic *item = &report->items[i];
		struct json_object *one = json_object_new_object();
		json_add(one, "file", json_object_new_string(item->file));
		json_add(one, "line", json_object_new_int((int)item->line));
		json_add(one, "column", json_object_new_int((int)item->column));
		json_add(one, "text", json_object_new_string(item->text));
		json_append(list, one);
	}
	return list;
}

static struct json_object *describe_plan(const struct reload_plan *plan)
{
	struct json_object *one = json_object_new_object();

	json_add(one, "session", json_object_new_uint64(plan->session));
	json_add(one, "policy", json_object_new_string(plan->policy));
	json_add(one, "outcome", json_object_new_string(reload_outcome_name(plan->outcome)));
	if (plan->reason[0]) {
		json_add(one, "reason", json_object_new_string(plan->reason));
	}
	return one;
}

/* One form for both ends, so that who asks need not guess: what is wrong, and what became of whom.
 */
static struct json_object *describe(const struct reload *reload)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *sessions = json_object_new_array();
	bool done = reload->error == 0;

	for (size_t i = 0; done && i < reload->plan_count; i++) {
		json_append(sessions, describe_plan(&reload->plans[i]));
	}
	json_add(answer, "done", json_object_new_boolean(done));
	json_add(answer, "policies",
		json_object_new_uint64(policy_texts_count(reload->context->config->texts)));
	json_add(answer, "mistakes", describe_mistakes(&reload->report));
	json_add(answer, "sessions", sessions);
	return answer;
}

static void log_mistakes(const struct policy_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct policy_diagnostic *item = &report->items[i];
		journal_error("%s:%u:%u: %s", item->file, item->line, item->column, item->text);
	}
}

static void log_outcome(const struct reload *reload)
{
	if (reload->error < 0) {
		log_mistakes(&reload->report);
		journal_error(
			"the configuration was not read again: what was in force stays so%s%s",
			reload->report.count > 0 ? "" : ": ",
			reload->report.count > 0 ? "" : strerror(-reload->error));
		return;
	}
	for (size_t i = 0; i < reload->plan_count; i++) {
		const struct reload_plan *plan = &reload->plans[i];
		if (plan->outcome == RELOAD_REFUSED) {
			journal_warning("session %llu goes on under the policy '%s' as it was: %s",
				(unsigned long long)plan->session, plan->policy, plan->reason);
		} else if (plan->outcome == RELOAD_FOLLOWED) {
			journal_notice("session %llu has the policy '%s' as it is now",
				(unsigned long long)plan->session, plan->policy);
		}
	}
	journal_notice("the configuration was read again, with %zu policies, for new sessions and "
		       "those that follow; the socket stays what it is",
		policy_texts_count(reload->context->config->texts));
}

static void end(struct reload *reload)
{
	struct context *context = reload->context;
	struct connection *connection = steal_pointer(&reload->connection);
	bool again = reload->again;

	log_outcome(reload);
	context->reload = NULL;
	service_ready(context->sessions_tally.total);
	if (connection) {
		connection_answer(connection, describe(reload));
	}
	uv_close((uv_handle_t *)&reload->timer, on_timer_closed);
	if (again) {
		(void)reload_start(context, NULL);
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct reload *reload = container_of(timer, struct reload, timer);

	journal_warning(
		"%zu brokers have not said that they hold by the new policy", reload->pending);
	end(reload);
}

static void give(struct reload *reload)
{
	for (size_t i = 0; i < reload->plan_count; i++) {
		struct reload_plan *plan = &reload->plans[i];
		struct session *session = session_find(reload->context, plan->session);
		if (session && plan->outcome == RELOAD_FOLLOWED) {
			plan->is_pending =
				session_follow(session, &plan->new_snapshot, reload->number) > 0;
			reload->pending += plan->is_pending;
		}
	}
}

static void after_work(uv_work_t *work, int status)
{
	struct reload *reload = container_of(work, struct reload, work);
	struct context *context = reload->context;

	reload->error = status < 0 ? status : reload->error;
	context->metrics.reloads += reload->error == 0;
	context->metrics.reloads_failed += reload->error != 0;
	if (reload->error < 0) {
		end(reload);
		return;
	}
	config_unref(context->config);
	context->config = config_ref(reload->config);
	give(reload);
	if (reload->pending == 0) {
		end(reload);
		return;
	}
	uv_timer_start(&reload->timer, on_timer, GIVING_MS, 0);
}

void reload_settle(struct session *session)
{
	struct reload *reload = session->context->reload;

	for (size_t i = 0; reload && i < reload->plan_count; i++) {
		struct reload_plan *plan = &reload->plans[i];
		if (plan->session == session->id && plan->is_pending) {
			plan->is_pending = false;
			if (--reload->pending == 0) {
				end(reload);
			}
			return;
		}
	}
}

static int make_plan(struct reload_plan *plan, const struct session *session)
{
	*plan = (struct reload_plan){.session = session->id,
		.policy = strdup(session->policy),
		.snapshot = fcntl(session->snapshot, F_DUPFD_CLOEXEC, 0),
		.filter_snapshot = fcntl(session_filter_snapshot(session), F_DUPFD_CLOEXEC, 0),
		.ids_can_vary = session->peer.ids_can_vary,
		.landlock = session->landlock,
		.new_snapshot = -1};
	return plan->policy && plan->snapshot >= 0 && plan->filter_snapshot >= 0 ? 0 : -ENOMEM;
}

/* Those that begin just now go on with what they began with. */
static int make_plans(struct reload *reload)
{
	const struct session *session;
	int result = 0;

	reload->plans = calloc(reload->context->sessions_tally.total + 1, sizeof(*reload->plans));
	if (!reload->plans) {
		return -ENOMEM;
	}
	LIST_FOREACH(session, &reload->context->sessions, entry)
	{
		if (session->state != SESSION_STARTING && result == 0) {
			result = make_plan(&reload->plans[reload->plan_count++], session);
		}
	}
	return result;
}

static void on_gone(struct connection *connection)
{
	struct reload *reload = connection->owner;

	reload->connection = NULL;
}

int reload_start(struct context *context, struct connection *connection)
{
	if (context->reload) {
		context->reload->again = !connection;
		return -EBUSY;
	}
	struct reload *reload = calloc(1, sizeof(*reload));
	if (!reload) {
		return -ENOMEM;
	}
	reload->context = context;
	reload->file = context->config_file;
	reload->number = ++context->last_reload;
	uv_timer_init(context->loop, &reload->timer);
	int result = make_plans(reload);
	if (result == 0) {
		result = pool_queue(context->loop, &reload->work, work, after_work);
	}
	if (result < 0) {
		uv_close((uv_handle_t *)&reload->timer, on_timer_closed);
		return result;
	}
	context->reload = reload;
	service_reloading();
	if (connection) {
		reload->connection = connection;
		connection->owner = reload;
		connection->on_gone = on_gone;
	}
	return 0;
}

void reload_finish(struct context *context)
{
	if (context->reload) {
		context->reload->again = false;
		uv_timer_stop(&context->reload->timer);
	}
}

void answer_reload(struct connection *connection, struct json_object *request)
{
	int result = reload_start(connection->control->context, connection);

	(void)request;
	if (result < 0) {
		connection_refuse(connection, result == -EBUSY ? CONTROL_BUSY : CONTROL_FAILED,
			NULL, "%s",
			result == -EBUSY ? "somebody reloads at this very moment; try again"
					 : strerror(-result));
	}
}
