/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/session.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/discard.h"
#include "daemon/base/session_memory.h"
#include "daemon/base/wire.h"
#include "daemon/child.h"
#include "daemon/config.h"
#include "daemon/context.h"
#include "daemon/journal.h"
#include "daemon/journal_record.h"
#include "daemon/monitor.h"
#include "daemon/parcel.h"
#include "daemon/relay.h"
#include "daemon/reload.h"
#include "daemon/service.h"
#include "daemon/session_broker.h"
#include "daemon/session_keep.h"
#include "daemon/stop.h"
#include "daemon/store.h"

static const char *const state_names[] = {
	[SESSION_STARTING] = "starting",
	[SESSION_RUNNING] = "running",
	[SESSION_RESTARTING] = "restarting",
};
static_assert(array_length(state_names) == SESSION_STATES, "a name for each state");

const char *session_state_name(enum session_state state)
{
	return state_names[state];
}

void session_discard(struct session *session)
{
	session_memory_unmap(session->memory);
	close_fd(&session->listener);
	close_fd(&session->memory_fd);
	close_fd(&session->snapshot);
	close_fd(&session->first_snapshot);
	parcel_discard(&session->log);
	parcel_discard(&session->verbose);
	close_fd(&session->audit);
	for (size_t i = 0; i < WIRE_GIVEN_MAX; i++) {
		discard_shared(&session->given[i]);
	}
	peer_finish(&session->peer);
	free(session->policy);
	free(session->command);
	free(session->user);
	free(session->become);
	free(session->label);
	free(session);
}

static void on_retry_closed(uv_handle_t *handle)
{
	session_discard(container_of((uv_timer_t *)handle, struct session, retry));
}

/* Takes the session out of the world; its memory goes when its timer is closed. */
static void drop(struct session *session)
{
	LIST_REMOVE(session, entry);
	reload_settle(session);
	if (session->state != SESSION_STARTING) {
		monitor_ended(session);
	}
	metrics_keep(&session->context->metrics, session->memory);
	tally_leave(&session->context->sessions_tally, session->peer.uid);
	service_status(session->context->sessions_tally.total);
	stop_settle(session->context);
	store_sync_forget(steal_pointer(&session->sync));
	session->events = NULL;
	close_fd(&session->listener);
	uv_close((uv_handle_t *)&session->retry, on_retry_closed);
}

void session_abort(struct session *session)
{
	child_kill(steal_pointer(&session->child));
	session_unkeep(session);
	drop(session);
}

void session_release(struct session *session)
{
	child_release(steal_pointer(&session->child));
	drop(session);
}

void session_fail(struct session *session, int error, const char *text)
{
	const struct session_events *events = session->events;
	void *owner = session->owner;

	session_abort(session);
	if (events) {
		events->failed(owner, error, text);
	}
}

bool session_is_over(const struct session *session)
{
	struct pollfd pollfd = {.fd = session->listener};

	return poll(&pollfd, 1, 0) == 1 && (pollfd.revents & POLLHUP);
}

void session_end(struct session *session)
{
	const struct session_counters *counters = &session->memory->counters;

	journal_event(JOURNAL_ENDED, JOURNAL_INFO, session->id, session->policy,
		"%s: ended: %" PRIu64 " allowed, %" PRIu64 " denied, %" PRIu64 " injected",
		session->label, counters->allowed, counters->denied, counters->injected);
	session_abort(session);
}

uint64_t session_answers(const struct session *session)
{
	const struct session_counters *counters = &session->memory->counters;

	return counters->allowed + counters->denied + counters->injected;
}

struct session *session_find(const struct context *context, uint64_t id)
{
	struct session *session;

	LIST_FOREACH(session, &context->sessions, entry)
	{
		if (session->id == id) {
			return session;
		}
	}
	return NULL;
}

double session_rate(struct session *session)
{
	uint64_t now = uv_now(session->context->loop);
	uint64_t count = session_answers(session);
	uint64_t elapsed = now - session->sampled_ms;

	if (elapsed >= 1000) {
		session->rate = (double)(count - session->sampled_answers) * 1000 / (double)elapsed;
		session->sampled_ms = now;
		session->sampled_answers = count;
	}
	return session->rate;
}

static int make_label(struct session *session)
{
	if (asprintf(&session->label, "session %" PRIu64, session->id) < 0) {
		session->label = NULL;
		return -ENOMEM;
	}
	if (session->context->self.uid == 0) {
		session->become = peer_become(&session->peer);
		return session->become ? 0 : -ENOMEM;
	}
	return 0;
}

/* What of a session can fail to be made, before it takes its place in the world. */
static int prepare(struct session *session)
{
	struct context *context = session->context;
	int result = make_label(session);

	if (result < 0) {
		return result;
	}
	session->memory_fd = session_memory_create(session->id, &session->memory);
	if (session->memory_fd < 0) {
		return session->memory_fd;
	}
	if (session->log < 0 && context->config->audit) {
		result = relay_start(&session->log, &session->audit, context->loop, session->label,
			session->policy, RELAY_AUDIT);
		return result < 0 ? result : parcel_wrap(&session->log);
	}
	return 0;
}

static struct session *make(struct context *context, struct session_parts *parts)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session) {
		return NULL;
	}
	session->context = context;
	session->id = context->last_session + 1;
	session->memory_fd = session->audit = session->first_snapshot = -1;
	session->peer = *parts->peer;
	*parts->peer = (struct peer){.pidfd = -1};
	session->policy = steal_pointer(parts->policy);
	session->command = steal_pointer(parts->command);
	session->user = steal_pointer(parts->user);
	session->listener = steal_fd(parts->listener);
	session->snapshot = steal_fd(parts->snapshot);
	session->log = steal_fd(parts->log);
	session->verbose = steal_fd(parts->verbose);
	for (size_t i = 0; i < WIRE_GIVEN_MAX; i++) {
		session->given[i] = i < parts->given_count ? steal_fd(&parts->given[i]) : -1;
	}
	session->tid = parts->tid;
	session->landlock = parts->landlock;
	session->events = parts->events;
	session->owner = parts->owner;
	session->started = (int64_t)time(NULL);
	return session;
}

/* It is in the store: from now on whatever dies, somebody will go on with it. */
static void on_kept(void *owner)
{
	struct session *session = owner;
	char text[128];

	session->sync = NULL;
	int result = session_start_broker(session);
	if (result < 0) {
		snprintf(text, sizeof(text), "the broker cannot be started: %s", strerror(-result));
		session_fail(session, result, text);
	}
}

static int keep_and_start(struct session *session)
{
	struct context *context = session->context;
	int result = session_keep(session);

	if (result == 0) {
		result = store_sync(
			&context->store, &session->sync, context->loop, on_kept, session);
	}
	return result == 1 ? session_start_broker(session) : result;
}

static void enter_world(struct session *session)
{
	struct context *context = session->context;

	if (session->id > context->last_session) {
		context->last_session = session->id;
	}
	uv_timer_init(context->loop, &session->retry);
	LIST_INSERT_HEAD(&context->sessions, session, entry);
	service_status(context->sessions_tally.total);
}

int session_start(struct session **sessionp, struct context *context, struct session_parts *parts)
{
	uid_t uid = parts->peer->uid;
	struct session *session = make(context, parts);
	int result = session ? prepare(session) : -ENOMEM;

	if (result < 0) {
		tally_leave(&context->sessions_tally, uid);
		if (session) {
			session_discard(session);
		}
		return result;
	}
	session->started_ms = session->sampled_ms = uv_now(context->loop);
	context->metrics.sessions_started++;
	enter_world(session);
	result = keep_and_start(session);
	if (result < 0) {
		session_abort(session);
		return result;
	}
	*sessionp = session;
	return 0;
}

struct session *session_of(struct context *context, const struct peer *peer)
{
	struct session *session;

	LIST_FOREACH(session, &context->sessions, entry)
	{
		if (peer_is_same(&session->peer, peer)) {
			return session;
		}
	}
	return NULL;
}

int session_attach(struct session *session, const struct session_events *events, void *owner)
{
	if (session->events) {
		return -EBUSY;
	}
	if (session->state != SESSION_STARTING) {
		return 1;
	}
	session->events = events;
	session->owner = owner;
	return 0;
}

void session_detach(struct session *session)
{
	session->events = NULL;
}

int session_join(struct session *session)
{
	static const struct tally_limits unlimited = {UINT_MAX, UINT_MAX};
	struct context *context = session->context;
	int64_t age = (int64_t)time(NULL) - session->started;

	int result = make_label(session);
	if (result == 0) {
		result = tally_enter(&context->sessions_tally, session->peer.uid, unlimited);
	}
	if (result < 0) {
		return result;
	}
	if (session->audit >= 0) {
		(void)relay_resume(session->audit, context->loop, session->label, session->policy,
			RELAY_AUDIT);
	}
	/* Who watched has lost its connection with the daemon before us. */
	atomic_store(&session->memory->watched, 0);
	session->resumes = true;
	session->state = atomic_load(&session->memory->facts) & SESSION_READY ? SESSION_RUNNING
									      : SESSION_STARTING;
	session->sampled_ms = uv_now(context->loop);
	session->sampled_answers = session_answers(session);
	session->started_ms = session->sampled_ms - (uint64_t)(age > 0 ? age : 0) * 1000;
	enter_world(session);
	return 0;
}
