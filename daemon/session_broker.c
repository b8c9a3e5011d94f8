/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/session_broker.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/discard.h"
#include "daemon/base/session_memory.h"
#include "daemon/base/wire.h"
#include "daemon/child.h"
#include "daemon/context.h"
#include "daemon/journal.h"
#include "daemon/journal_record.h"
#include "daemon/monitor.h"
#include "daemon/parcel.h"
#include "daemon/processes.h"
#include "daemon/reload.h"
#include "daemon/session.h"
#include "daemon/session_keep.h"

/* A broker that lived shorter than this died quickly. */
#define QUICK_DEATH_MS 10000u
/* The longest delay for one that died before it had answered anything, and for others. */
#define DELAY_USELESS_MS 5000u
#define DELAY_USEFUL_MS  100u
#define DELAY_FIRST_MS   5u
/* As many brokers may die before the session is ready. */
#define START_DEATHS_MAX 8u

#define WORDS_PER_SECOND 20u

/* Somebody has installed another release and not restarted us. */
#define FOREIGN "is of another release than this usherd; restart usherd"

/* Copies of what lies in parcels of its own. */
struct logs {
	int log, verbose;
};

static void close_logs(struct logs *logs)
{
	discard_shared(&logs->log);
	discard_shared(&logs->verbose);
}

static int open_logs(const struct session *session, struct logs *logs)
{
	int result = parcel_unwrap(session->log, &logs->log);

	return result < 0 ? result : parcel_unwrap(session->verbose, &logs->verbose);
}

/* The descriptors of START, in their order, and what START says of them. */
static size_t collect_descriptors(
	const struct session *session, const struct logs *logs, struct wire_start *start, int *fds)
{
	size_t count = 0;

	fds[count++] = session->listener;
	fds[count++] = session->memory_fd;
	fds[count++] = session->snapshot;
	if (logs->log >= 0) {
		start->flags |= WIRE_START_LOG;
		fds[count++] = logs->log;
	}
	if (logs->verbose >= 0) {
		start->flags |= WIRE_START_VERBOSE;
		fds[count++] = logs->verbose;
	}
	for (size_t i = 0; i < WIRE_GIVEN_MAX && session->given[i] >= 0; i++) {
		fds[count++] = session->given[i];
		start->given_count++;
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

static struct child_options broker_options(struct session *session)
{
	return (struct child_options){.program = session->context->broker_program,
		.become = session->become,
		.label = session->label,
		.events = &child_events,
		.owner = session};
}

int session_start_broker(struct session *session)
{
	const struct child_options options = broker_options(session);
	struct wire_start start = {.header = wire_header_make(WIRE_START, sizeof(start)),
		.session = session->id,
		.flags = session->resumes ? WIRE_START_RESUME : 0,
		.tid = thread_to_name(session)};
	struct logs logs __attribute__((cleanup(close_logs))) = {-1, -1};
	int fds[WIRE_FDS_MAX];

	int result = child_start(&session->child, session->context->loop, &options);
	if (result < 0) {
		return result;
	}
	result = open_logs(session, &logs);
	if (result == 0) {
		size_t count = collect_descriptors(session, &logs, &start, fds);
		result = child_send_start(session->child, &start, fds, count);
	}
	/* One that is dead already is noticed as any other. */
	if (result < 0 && result != -EPIPE && result != -ECONNRESET) {
		child_kill(steal_pointer(&session->child));
		return result;
	}
	session->resumes = true;
	session_memory_mark(session->memory_fd);
	session->child_started_ms = uv_now(session->context->loop);
	session->child_started_answers = session_answers(session);
	/* Without it the next daemon will replace this broker. */
	(void)session_keep_broker(session);
	return 0;
}

bool session_may_be_served_by(const struct session *session, pid_t pid, int pidfd)
{
	const struct processes_scope scope = {
		.uid = session->peer.uid, .capabilities = session->peer.capabilities};

	return processes_is_in_scope(pid, pidfd, &scope) &&
	       session_memory_server(session->memory_fd) == pid;
}

/*
 * A broker serves that we have no line to: it was started by a daemon that died before it had kept
 * it. There is never more than one, so it ends before another is started.
 */
static int end_stranger(struct session *session, pid_t pid)
{
	const struct child_options options = broker_options(session);
	cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	const struct child_estate estate = {.pid = pid, .pidfd = pidfd, .control = -1, .words = -1};

	if (pidfd < 0 || !session_may_be_served_by(session, pid, pidfd)) {
		return -EAGAIN; /* it has ended by itself, or is somebody else */
	}
	int result = child_adopt(&session->child, session->context->loop, &options, &estate);
	if (result == 0) {
		child_replace(session->child);
	}
	return result;
}

static int start_only_child(struct session *session)
{
	pid_t server = session_memory_server(session->memory_fd);

	return server > 0 ? end_stranger(session, server) : session_start_broker(session);
}

static void retry_later(struct session *session);

static void on_retry(uv_timer_t *timer)
{
	struct session *session = container_of(timer, struct session, retry);

	if (session_is_over(session)) {
		session_end(session);
		return;
	}
	int result = start_only_child(session);
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

/* None after a first death. */
static uint64_t delay_after(unsigned int deaths, uint64_t longest)
{
	if (deaths < 2) {
		return 0;
	}
	uint64_t delay = deaths - 2 < 16 ? (uint64_t)DELAY_FIRST_MS << (deaths - 2) : longest;
	return delay < longest ? delay : longest;
}

/*
 * What follows a first death waits longer each time, so that a broker that cannot live does not
 * take the machine with it. Brokers that have served before they died make it wait but shortly,
 * and one among them that was killed too soon does not count for more.
 */
static void retry_later(struct session *session)
{
	bool was_useful = session_answers(session) != session->child_started_answers;

	session->useless_deaths = was_useful ? 0 : session->useless_deaths + 1;
	uint64_t useful = delay_after(session->quick_deaths, DELAY_USEFUL_MS);
	uint64_t useless = delay_after(session->useless_deaths, DELAY_USELESS_MS);
	uint64_t delay = useful > useless ? useful : useless;
	if (session->state != SESSION_STARTING) {
		session->state = SESSION_RESTARTING;
	}
	uv_timer_start(&session->retry, on_retry, delay, 0);
}

static void describe_end(char *text, size_t size, int64_t status, int signal)
{
	if (signal == CHILD_SIGNAL_UNKNOWN) {
		snprintf(text, size, "has ended");
	} else if (signal == CHILD_SIGNAL_FOREIGN) {
		snprintf(text, size, FOREIGN);
	} else if (signal != 0) {
		snprintf(text, size, "was killed by signal %d (%s)", signal, strsignal(signal));
	} else {
		snprintf(text, size, "ended with status %" PRId64, status);
	}
}

/* A broker that somebody has killed has done nothing wrong; in doubt it was so. */
static bool is_from_outside(int signal)
{
	return signal == SIGKILL || signal == SIGTERM || signal == CHILD_SIGNAL_UNKNOWN;
}

/* The client waits, so it is not tried for ever. False if the session is no more. */
static bool may_start_again(struct session *session, const char *what, int signal)
{
	char text[192];

	if (signal == CHILD_SIGNAL_FOREIGN) {
		session_fail(session, -EPROTONOSUPPORT, "the broker " FOREIGN);
		return false;
	}
	if (++session->start_deaths < START_DEATHS_MAX) {
		return true;
	}
	snprintf(text, sizeof(text), "the broker %s before it was ready; see usherd's log", what);
	session_fail(session, -EIO, text);
	return false;
}

static void on_ended(void *owner, int64_t status, int signal)
{
	struct session *session = owner;
	char what[96];

	session->child = NULL;
	session_unkeep_broker(session);
	describe_end(what, sizeof(what), status, signal);
	if (session_is_over(session)) {
		session_end(session);
		return;
	}
	if (session->cannot_go_on) {
		journal_error("%s: this usherd cannot go on with it: its calls fail from now on",
			session->label);
		session_abort(session);
		return;
	}
	if (session->state == SESSION_STARTING && !may_start_again(session, what, signal)) {
		return;
	}
	if (is_from_outside(signal)) {
		session_memory_forgive(session->memory);
	}
	uint64_t lived = uv_now(session->context->loop) - session->child_started_ms;
	if (lived >= QUICK_DEATH_MS) {
		session->quick_deaths = session->useless_deaths = 0;
	}
	session->quick_deaths++;
	session->context->metrics.broker_deaths++;
	journal_event(JOURNAL_BROKER_DIED, JOURNAL_WARNING, session->id, session->policy,
		"%s: its broker %s; another takes over", session->label, what);
	retry_later(session);
}

static void on_ready(struct session *session)
{
	const struct session_events *events = session->events;

	if (session->state == SESSION_STARTING) {
		monitor_began(session);
	}
	session->state = SESSION_RUNNING;
	reload_settle(session);
	session->events = NULL;
	if (events) {
		events->ready(session->owner);
	}
}

/* What a broker of the same build would say again; all else may pass. */
static bool is_for_good(int error)
{
	return error == -EBADMSG || error == -EPROTO || error == -EPROTONOSUPPORT;
}

static void tell_left_out(struct session *session)
{
	if (session->words > WORDS_PER_SECOND) {
		journal_warning("%s: %u things more that its broker says are left out",
			session->label, session->words - WORDS_PER_SECOND);
	}
}

/* It may be anybody's by now: what it says without end is not all written. */
static void write_words(struct session *session, const char *text)
{
	uint64_t second = uv_now(session->context->loop) / 1000;

	if (second != session->words_second) {
		tell_left_out(session);
		session->words_second = second;
		session->words = 0;
	}
	if (++session->words <= WORDS_PER_SECOND) {
		journal_warning("%s: its broker says: %s", session->label, text);
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
	if (wire_type_of(packet) == WIRE_TAKEN) {
		const struct wire_taken *taken = packet;
		if (taken->number == session->policy_number) {
			reload_settle(session);
		}
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
		session_fail(session, refused->error, text);
		return;
	}
	write_words(session, text);
	session->cannot_go_on = session->state != SESSION_RUNNING && is_for_good(refused->error);
}

static const struct child_events child_events = {.message = on_message, .ended = on_ended};

void session_go_on(struct session *session, const struct child_estate *estate)
{
	const struct child_options options = broker_options(session);

	session->child_started_ms = uv_now(session->context->loop);
	session->child_started_answers = session_answers(session);
	if (!estate || child_adopt(&session->child, session->context->loop, &options, estate) < 0) {
		retry_later(session);
	}
}
