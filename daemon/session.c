/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/session.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/session_memory.h"
#include "daemon/base/wire.h"
#include "daemon/child.h"
#include "daemon/config.h"
#include "daemon/context.h"
#include "daemon/journal.h"
#include "daemon/monitor.h"
#include "daemon/relay.h"

/* A broker that lived shorter than this died quickly. */
#define QUICK_DEATH_MS 10000u
/* The longest delay for one that died before it had answered anything, and for others. */
#define DELAY_USELESS_MS 5000u
#define DELAY_USEFUL_MS  100u
#define DELAY_FIRST_MS   5u

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

static void on_retry_closed(uv_handle_t *handle)
{
	struct session *session = container_of((uv_timer_t *)handle, struct session, retry);

	session_memory_unmap(session->memory);
	peer_finish(&session->peer);
	free(session->policy);
	free(session->command);
	free(session->user);
	free(session->become);
	free(session->label);
	free(session);
}

/* Takes the session out of the world; its memory goes when its timer is closed. */
static void drop(struct session *session)
{
	LIST_REMOVE(session, entry);
	if (session->state != SESSION_STARTING) {
		monitor_ended(session);
	}
	metrics_keep(&session->context->metrics, session->memory);
	tally_leave(&session->context->sessions_tally, session->peer.uid);
	session->events = NULL;
	close_fd(&session->listener);
	close_fd(&session->memory_fd);
	close_fd(&session->snapshot);
	close_fd(&session->log);
	close_fd(&session->verbose);
	uv_close((uv_handle_t *)&session->retry, on_retry_closed);
}

void session_abort(struct session *session)
{
	child_kill(steal_pointer(&session->child));
	drop(session);
}

void session_release(struct session *session)
{
	child_release(steal_pointer(&session->child));
	drop(session);
}

static void fail(struct session *session, int error, const char *text)
{
	const struct session_events *events = session->events;
	void *owner = session->owner;

	session_abort(session);
	if (events) {
		events->failed(owner, error, text);
	}
}

/* True when no process is left that the filter could notify for. */
static bool is_over(const struct session *session)
{
	struct pollfd pollfd = {.fd = session->listener};

	return poll(&pollfd, 1, 0) == 1 && (pollfd.revents & POLLHUP);
}

static void end(struct session *session)
{
	const struct session_counters *counters = &session->memory->counters;

	journal_info("%s: ended: %" PRIu64 " allowed, %" PRIu64 " denied, %" PRIu64 " injected",
		session->label, counters->allowed, counters->denied, counters->injected);
	session_abort(session);
}

static uint64_t answers(const struct session *session)
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
	uint64_t count = answers(session);
	uint64_t elapsed = now - session->sampled_ms;

	if (elapsed >= 1000) {
		session->rate = (double)(count - session->sampled_answers) * 1000 / (double)elapsed;
		session->sampled_ms = now;
		session->sampled_answers = count;
	}
	return session->rate;
}

/* The flags of START and the descriptors that they stand for, in their order. */
static size_t collect_descriptors(const struct session *session, uint32_t *flags, int *fds)
{
	size_t count = 0;

	fds[count++] = session->listener;
	fds[count++] = session->memory_fd;
	fds[count++] = session->snapshot;
	if (session->log >= 0) {
		*flags |= WIRE_START_LOG;
		fds[count++] = session->log;
	}
	if (session->verbose >= 0) {
		*flags |= WIRE_START_VERBOSE;
		fds[count++] = session->verbose;
	}
	return count;
}

static const struct child_events child_events;

/*
 * By which thread a broker gets to know the targets. After the first exec the filtered thread has
 * the number of its process; 0 if the client has ended and only its descendants are left.
 */
static pid_t thread_to_name(const struct session *session)
{
	if (session->state == SESSION_STARTING) {
		return session->tid;
	}
	return peer_is_running(&session->peer) ? session->peer.pid : 0;
}

static int start_child(struct session *session)
{
	struct context *context = session->context;
	struct child_options options = {.program = context->broker_program,
		.become = session->become,
		.label = session->label,
		.events = &child_events,
		.owner = session};
	struct wire_start start = {.header = wire_header_make(WIRE_START, sizeof(start)),
		.session = session->id,
		.flags = session->state == SESSION_STARTING ? 0 : WIRE_START_RESUME,
		.tid = thread_to_name(session)};
	int fds[WIRE_FDS_MAX];

	int result = child_start(&session->child, context->loop, &options);
	if (result < 0) {
		return result;
	}
	size_t count = collect_descriptors(session, &start.flags, fds);
	result = child_send_start(session->child, &start, fds, count);
	if (result < 0) {
		child_kill(steal_pointer(&session->child));
		return result;
	}
	session->child_started_ms = uv_now(context->loop);
	session->child_started_answers = answers(session);
	return 0;
}

static void retry_later(struct session *session);

static void on_retry(uv_timer_t *timer)
{
	struct session *session = container_of(timer, struct session, retry);

	if (is_over(session)) {
		end(session);
		return;
	}
	int result = start_child(session);
	if (result < 0) {
		journal_error("%s: its broker cannot be started again: %s", session->label,
			strerror(-result));
		session->quick_deaths++;
		retry_later(session);
		return;
	}
	journal_notice(
		"%s: broker started again, pid %d", session->label, child_pid(session->child));
}

/*
 * At once after a first death. What follows waits longer each time, so that a broker that cannot
 * live does not take the machine with it; one that has served meanwhile waits but shortly.
 */
static void retry_later(struct session *session)
{
	bool was_useful = answers(session) != session->child_started_answers;
	uint64_t longest = was_useful ? DELAY_USEFUL_MS : DELAY_USELESS_MS;
	uint64_t delay = 0;

	if (session->quick_deaths > 1) {
		unsigned int doublings = session->quick_deaths - 2;
		delay = doublings < 16 ? (uint64_t)DELAY_FIRST_MS << doublings : longest;
		delay = delay < longest ? delay : longest;
	}
	session->state = SESSION_RESTARTING;
	uv_timer_start(&session->retry, on_retry, delay, 0);
}

static void describe_end(char *text, size_t size, int64_t status, int signal)
{
	if (signal != 0) {
		snprintf(text, size, "was killed by signal %d (%s)", signal, strsignal(signal));
	} else {
		snprintf(text, size, "ended with status %" PRId64, status);
	}
}

static void on_ended(void *owner, int64_t status, int signal)
{
	struct session *session = owner;
	char what[96], text[192];

	session->child = NULL;
	describe_end(what, sizeof(what), status, signal);
	if (session->state == SESSION_STARTING) {
		snprintf(text, sizeof(text), "the broker %s before it was ready; see usherd's log",
			what);
		fail(session, -EIO, text);
		return;
	}
	if (is_over(session)) {
		end(session);
		return;
	}
	if (signal == SIGKILL || signal == SIGTERM) {
		session_memory_forgive(session->memory);
	}
	uint64_t lived = uv_now(session->context->loop) - session->child_started_ms;
	session->quick_deaths = lived < QUICK_DEATH_MS ? session->quick_deaths + 1 : 1;
	session->context->metrics.broker_deaths++;
	journal_warning("%s: its broker %s; another takes over", session->label, what);
	retry_later(session);
}

static void on_ready(struct session *session)
{
	const struct session_events *events = session->events;

	if (session->state == SESSION_STARTING) {
		monitor_began(session);
	}
	session->state = SESSION_RUNNING;
	session->events = NULL;
	if (events) {
		events->ready(session->owner);
	}
}

static void on_message(void *owner, const void *packet, size_t size)
{
	struct session *session = owner;

	(void)size;
	if (wire_type_of(packet) == WIRE_READY) {
		on_ready(session);
		return;
	}
	if (wire_type_of(packet) == WIRE_DECISION) {
		monitor_decision(session, (const char *)packet + sizeof(struct wire_decision));
		return;
	}
	if (wire_type_of(packet) != WIRE_REFUSED) {
		return; /* CHILD is for the embedded mode */
	}
	const struct wire_refused *refused = packet;
	const char *text = (const char *)(refused + 1);
	if (session->state == SESSION_STARTING) {
		fail(session, refused->error, text);
	} else {
		journal_warning("%s: its broker says: %s", session->label, text);
	}
}

static const struct child_events child_events = {.message = on_message, .ended = on_ended};

/* What of a session can fail to be made; the parts are not touched. */
static int prepare(struct session *session, const struct session_parts *parts)
{
	struct context *context = session->context;

	if (asprintf(&session->label, "session %" PRIu64, session->id) < 0) {
		session->label = NULL;
		return -ENOMEM;
	}
	if (context->self.uid == 0) {
		session->become = peer_become(parts->peer);
		if (!session->become) {
			return -ENOMEM;
		}
	}
	session->memory_fd = session_memory_create(session->id, &session->memory);
	if (session->memory_fd < 0) {
		return session->memory_fd;
	}
	if (*parts->log < 0 && context->config->audit) {
		return relay_start(parts->log, context->loop, session->label, RELAY_AUDIT);
	}
	return 0;
}

static void take_parts(struct session *session, struct session_parts *parts)
{
	session->peer = *parts->peer;
	*parts->peer = (struct peer){.pidfd = -1};
	session->policy = steal_pointer(parts->policy);
	session->command = steal_pointer(parts->command);
	session->user = steal_pointer(parts->user);
	session->listener = steal_fd(parts->listener);
	session->snapshot = steal_fd(parts->snapshot);
	session->log = steal_fd(parts->log);
	session->verbose = steal_fd(parts->verbose);
	session->tid = parts->tid;
	session->events = parts->events;
	session->owner = parts->owner;
}

static void discard(struct session *session)
{
	session_memory_unmap(session->memory);
	close_fd(&session->memory_fd);
	free(session->label);
	free(session->become);
	free(session);
}

static struct session *make(struct context *context, struct session_parts *parts, int *result)
{
	struct session *session = calloc(1, sizeof(*session));

	*result = -ENOMEM;
	if (!session) {
		return NULL;
	}
	session->context = context;
	session->id = context->last_session + 1;
	session->memory_fd = -1;
	*result = prepare(session, parts);
	if (*result < 0) {
		discard(session);
		return NULL;
	}
	return session;
}

int session_start(struct session **sessionp, struct context *context, struct session_parts *parts)
{
	uid_t uid = parts->peer->uid;
	int result;
	struct session *session = make(context, parts, &result);

	if (!session) {
		tally_leave(&context->sessions_tally, uid);
		return result;
	}
	context->last_session = session->id;
	session->started = (int64_t)time(NULL);
	session->started_ms = session->sampled_ms = uv_now(context->loop);
	context->metrics.sessions_started++;
	uv_timer_init(context->loop, &session->retry);
	take_parts(session, parts);
	LIST_INSERT_HEAD(&context->sessions, session, entry);
	result = start_child(session);
	if (result < 0) {
		session_abort(session);
		return result;
	}
	*sessionp = session;
	return 0;
}
