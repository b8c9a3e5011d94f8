/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/audit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/wire.h"
#include "daemon/broker/audit_record.h"
#include "daemon/broker/programs.h"
#include "daemon/broker/request.h"
#include "daemon/broker/statistics.h"

#define WAITING_MAX 1024u                 /* records, */
#define WATCHED_MAX 512u                  /* of those that are only watched */
#define RATE        2000u                 /* lines a second, */
#define BURST       4000u                 /* after a pause */
#define LOG_BYTES   (64ull * 1024 * 1024) /* of a session */
#define STUCK_AFTER 1                     /* s in which no line was written */

/* A bucket of tokens, one a line. */
struct bucket {
	double tokens;
	struct timespec refilled;
};

struct audit {
	struct audit_outputs to;
	struct session_memory *memory;
	struct programs *programs; /* or NULL */
	pthread_mutex_t mutex;
	pthread_cond_t filled, drained;
	bool has_writer;
	struct audit_record *first, *last; /* a queue */
	unsigned int waiting;
	bool writing;
	uint64_t taken;                /* records, by the writer */
	_Atomic unsigned int expected; /* decisions between answer and record */
	_Atomic bool draining;         /* somebody waits for `drained` */
	uint64_t dropped;              /* since the last line */
	uint64_t written;              /* bytes of the log */
	struct bucket lines, watched;
};

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
	return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

/* Under the mutex. */
static bool take_token(struct bucket *bucket)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	bucket->tokens += seconds_between(&bucket->refilled, &now) * RATE;
	bucket->tokens = bucket->tokens > BURST ? BURST : bucket->tokens;
	bucket->refilled = now;
	if (bucket->tokens < 1) {
		return false;
	}
	bucket->tokens -= 1;
	return true;
}

static bool is_written(const struct audit *audit, const struct audit_record *record)
{
	return record->for_log || audit->to.verbose >= 0;
}

static bool is_watched(const struct audit *audit, enum policy_action verdict)
{
	return atomic_load_explicit(&audit->memory->watched, memory_order_relaxed) &
	       (1u << verdict);
}

static bool is_told(const struct audit *audit, const struct policy_verdict *verdict)
{
	return (verdict->log && audit->to.log >= 0) || audit->to.verbose >= 0 ||
	       is_watched(audit, verdict->action);
}

/* Under the mutex. */
static bool may_wait(struct audit *audit, bool written)
{
	return written ? audit->waiting < WAITING_MAX && take_token(&audit->lines)
		       : audit->waiting < WATCHED_MAX && take_token(&audit->watched);
}

static void *write_all(void *argument);

/* The first time that there is something to write. Under the mutex. */
static bool has_writer(struct audit *audit)
{
	pthread_t thread;

	if (!audit->has_writer && pthread_create(&thread, NULL, write_all, audit) == 0) {
		audit->has_writer = true;
		pthread_detach(thread);
	}
	return audit->has_writer;
}

/* Under the mutex. */
static void leave_out(struct audit *audit, struct audit_record *record, bool written)
{
	if (written) {
		audit->dropped++;
		atomic_fetch_add(&audit->memory->counters.audit_dropped, 1);
	}
	if (!record || is_watched(audit, record->action)) {
		atomic_fetch_add(&audit->memory->statistics.untold, 1);
	}
	audit_record_free(record);
}

/* Consumes the record; NULL is one that could not be made. `written`: it is not only watched. */
static void enqueue(struct audit *audit, struct audit_record *record, bool written)
{
	pthread_mutex_lock(&audit->mutex);
	if (!record || !may_wait(audit, written) || !has_writer(audit)) {
		leave_out(audit, record, written);
	} else {
		*(audit->last ? &audit->last->next : &audit->first) = record;
		audit->last = record;
		audit->waiting++;
		pthread_cond_signal(&audit->filled);
	}
	pthread_mutex_unlock(&audit->mutex);
}

static struct audit_record *dequeue(struct audit *audit, uint64_t *dropped)
{
	pthread_mutex_lock(&audit->mutex);
	audit->writing = false;
	while (!audit->first) {
		pthread_cond_broadcast(&audit->drained);
		pthread_cond_wait(&audit->filled, &audit->mutex);
	}
	struct audit_record *record = audit->first;
	audit->first = record->next;
	if (!audit->first) {
		audit->last = NULL;
	}
	audit->waiting--;
	audit->taken++;
	audit->writing = true;
	*dropped = 0;
	if (is_written(audit, record)) {
		*dropped = audit->dropped;
		audit->dropped = 0;
	}
	pthread_mutex_unlock(&audit->mutex);
	return record;
}

static void write_line(int fd, const char *line)
{
	size_t length = strlen(line);

	while (length > 0) {
		ssize_t written = write(fd, line, length);
		if (written < 0 && errno != EINTR) {
			return; /* a full disk or a reader that left: the session goes on */
		}
		line += written < 0 ? 0 : written;
		length -= written < 0 ? 0 : (size_t)written;
	}
}

static void write_log(struct audit *audit, const char *line)
{
	size_t length = strlen(line);

	if (audit->written < LOG_BYTES && audit->written + length >= LOG_BYTES) {
		write_line(audit->to.log, "{\"event\":\"log-full\"}\n");
	} else if (audit->written < LOG_BYTES) {
		write_line(audit->to.log, line);
	}
	audit->written += length;
}

/* The socket does not block: a supervisor that is late costs lines, never time. */
static void tell_supervisor(struct audit *audit, const char *line)
{
	static char packet[sizeof(struct wire_decision) + WIRE_RECORD_MAX]; /* the writer's alone */
	size_t size = wire_decision_make(packet, line);

	if (size == 0 || fdpass_send(audit->to.supervisor, packet, size, NULL, 0) < 0) {
		atomic_fetch_add(&audit->memory->statistics.untold, 1);
	}
}

static void write_record(struct audit *audit, struct audit_record *record, uint64_t dropped)
{
	bool watched = audit->to.supervisor >= 0 && is_watched(audit, record->action);

	audit_record_look_up(record, audit->programs);
	if (record->for_log || watched) {
		cleanup_free char *line =
			audit_record_to_json(record, audit->memory->session, dropped);
		if (line && record->for_log) {
			write_log(audit, line);
		}
		if (line && watched) {
			tell_supervisor(audit, line);
		}
	}
	if (audit->to.verbose >= 0) {
		cleanup_free char *line = audit_record_to_text(record, dropped);
		if (line) {
			write_line(audit->to.verbose, line);
		}
	}
}

static void *write_all(void *argument)
{
	struct audit *audit = argument;

	for (;;) {
		uint64_t dropped;
		struct audit_record *record = dequeue(audit, &dropped);
		write_record(audit, record, dropped);
		audit_record_free(record);
	}
	return NULL;
}

static struct bucket full_bucket(void)
{
	struct bucket bucket = {.tokens = BURST};

	clock_gettime(CLOCK_MONOTONIC, &bucket.refilled);
	return bucket;
}

int audit_new(
	struct audit **auditp, struct session_memory *memory, const struct audit_outputs *outputs)
{
	struct audit *audit = calloc(1, sizeof(*audit));

	if (!audit) {
		return -ENOMEM;
	}
	audit->to = *outputs;
	audit->memory = memory;
	audit->programs = programs_new();
	audit->lines = audit->watched = full_bucket();
	pthread_mutex_init(&audit->mutex, NULL);
	pthread_cond_init(&audit->filled, NULL);
	pthread_cond_init(&audit->drained, NULL);
	*auditp = audit;
	return 0;
}

/* Under the mutex. */
static bool is_idle(const struct audit *audit)
{
	return !audit->first && !audit->writing && !atomic_load(&audit->expected);
}

/* Under the mutex. False: in all that time the writer has not come to another record. */
static bool wait_for_writer(struct audit *audit)
{
	uint64_t taken = audit->taken;
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += STUCK_AFTER;
	return pthread_cond_clockwait(&audit->drained, &audit->mutex, CLOCK_MONOTONIC, &end) == 0 ||
	       audit->taken != taken;
}

void audit_drain(struct audit *audit)
{
	pthread_mutex_lock(&audit->mutex);
	/* Before the look at what is expected, as workers look at it after that: one sees the
	 * other. */
	atomic_store(&audit->draining, true);
	while (!is_idle(audit) && wait_for_writer(audit)) {
	}
	atomic_store(&audit->draining, false);
	pthread_mutex_unlock(&audit->mutex);
}

static void count(struct session_counters *counters, const struct request *request)
{
	_Atomic uint64_t *counter = request->verdict.action == POLICY_ALLOW    ? &counters->allowed
				    : request->verdict.action == POLICY_INJECT ? &counters->injected
									       : &counters->denied;

	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Decisions are about what a policy speaks of; the rest is our own housekeeping. */
static bool is_decision(const struct request *request)
{
	switch (request->call) {
	case CALL_OPEN:
	case CALL_SOCKET:
	case CALL_PATH:
		return true;
	case CALL_CONNECT:
	case CALL_BIND:
	case CALL_LISTEN:
	case CALL_SEND:
		return request->address.operation != 0;
	default:
		return request->verdict.action != POLICY_ALLOW;
	}
}

void audit_expect(struct audit *audit, const struct request *request)
{
	atomic_fetch_add(&audit->expected, 1);
	if (is_decision(request) && is_told(audit, &request->verdict)) {
		programs_note(audit->programs, request->tid, request->received_ns);
	}
}

static_assert((int)POLICY_ALLOW == SESSION_ALLOWED && (int)POLICY_DENY == SESSION_DENIED &&
		      (int)POLICY_INJECT == SESSION_INJECTED && (int)POLICY_KILL == SESSION_KILLED,
	"a verdict is counted under its own number");

static void record(struct audit *audit, const struct request *request, enum act_outcome outcome)
{
	if (outcome == ACT_GONE || outcome == ACT_GIVE_BACK) {
		return;
	}
	statistics_count(&audit->memory->statistics, request->slot->notification.data.nr,
		(enum session_verdict)request->verdict.action, request->received_ns);
	if (!is_decision(request)) {
		return;
	}
	count(&audit->memory->counters, request);
	if (is_told(audit, &request->verdict)) {
		bool for_log = request->verdict.log && audit->to.log >= 0;
		enqueue(audit, audit_record_new(request, for_log),
			for_log || audit->to.verbose >= 0);
	}
}

void audit_name(struct audit *audit, const struct audit_name *event)
{
	if (is_told(audit, event->verdict)) {
		bool for_log = event->verdict->log && audit->to.log >= 0;
		enqueue(audit, audit_record_new_name(event, for_log),
			for_log || audit->to.verbose >= 0);
	}
}

void audit(struct audit *audit, const struct request *request, enum act_outcome outcome)
{
	record(audit, request, outcome);
	if (atomic_fetch_sub(&audit->expected, 1) == 1 && atomic_load(&audit->draining)) {
		pthread_mutex_lock(&audit->mutex);
		pthread_cond_broadcast(&audit->drained);
		pthread_mutex_unlock(&audit->mutex);
	}
}
