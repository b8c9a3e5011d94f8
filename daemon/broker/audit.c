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
#include "daemon/broker/audit_record.h"
#include "daemon/broker/request.h"

#define WAITING_MAX 1024u                 /* records */
#define RATE        2000u                 /* lines a second, */
#define BURST       4000u                 /* after a pause */
#define LOG_BYTES   (64ull * 1024 * 1024) /* of a session */
#define DRAIN_STEPS 100u
#define DRAIN_STEP  10000000L /* ns */

struct audit {
	uint64_t session;
	int log_fd, verbose_fd;
	struct session_counters *counters;
	pthread_mutex_t mutex;
	pthread_cond_t filled;
	struct audit_record *first, *last; /* a queue */
	unsigned int waiting;
	bool writing;
	_Atomic unsigned int expected; /* decisions between answer and record */
	uint64_t dropped;              /* since the last line */
	uint64_t written;              /* bytes of the log */
	double tokens;
	struct timespec refilled;
};

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
	return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

/* A bucket of tokens. Under the mutex. */
static bool may_write(struct audit *audit)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	audit->tokens += seconds_between(&audit->refilled, &now) * RATE;
	audit->tokens = audit->tokens > BURST ? BURST : audit->tokens;
	audit->refilled = now;
	if (audit->tokens < 1 || audit->waiting >= WAITING_MAX) {
		return false;
	}
	audit->tokens -= 1;
	return true;
}

/* Consumes the record; NULL is one that could not be made. */
static void enqueue(struct audit *audit, struct audit_record *record)
{
	pthread_mutex_lock(&audit->mutex);
	if (!record || !may_write(audit)) {
		audit->dropped++;
		atomic_fetch_add(&audit->counters->audit_dropped, 1);
		audit_record_free(record);
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
		pthread_cond_wait(&audit->filled, &audit->mutex);
	}
	struct audit_record *record = audit->first;
	audit->first = record->next;
	if (!audit->first) {
		audit->last = NULL;
	}
	audit->waiting--;
	audit->writing = true;
	*dropped = audit->dropped;
	audit->dropped = 0;
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

static void write_log(struct audit *audit, const struct audit_record *record, uint64_t dropped)
{
	cleanup_free char *line = audit_record_to_json(record, audit->session, dropped);
	size_t length = line ? strlen(line) : 0;

	if (line && audit->written < LOG_BYTES && audit->written + length >= LOG_BYTES) {
		write_line(audit->log_fd, "{\"event\":\"log-full\"}\n");
	} else if (line && audit->written < LOG_BYTES) {
		write_line(audit->log_fd, line);
	}
	audit->written += length;
}

static void *write_all(void *argument)
{
	struct audit *audit = argument;

	for (;;) {
		uint64_t dropped;
		struct audit_record *record = dequeue(audit, &dropped);
		audit_record_look_up(record);
		if (audit->log_fd >= 0 && record->for_log) {
			write_log(audit, record, dropped);
		}
		if (audit->verbose_fd >= 0) {
			cleanup_free char *line = audit_record_to_text(record, dropped);
			if (line) {
				write_line(audit->verbose_fd, line);
			}
		}
		audit_record_free(record);
	}
	return NULL;
}

int audit_new(struct audit **auditp, uint64_t session, int log_fd, int verbose_fd,
	struct session_counters *counters)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	pthread_t thread;

	if (!audit) {
		return -ENOMEM;
	}
	audit->session = session;
	audit->log_fd = log_fd;
	audit->verbose_fd = verbose_fd;
	audit->counters = counters;
	audit->tokens = BURST;
	clock_gettime(CLOCK_MONOTONIC, &audit->refilled);
	pthread_mutex_init(&audit->mutex, NULL);
	pthread_cond_init(&audit->filled, NULL);
	*auditp = audit;
	/* Where nobody reads there is nothing to write. */
	if (log_fd < 0 && verbose_fd < 0) {
		return 0;
	}
	return -pthread_create(&thread, NULL, write_all, audit);
}

void audit_drain(struct audit *audit)
{
	for (unsigned int i = 0; i < DRAIN_STEPS; i++) {
		pthread_mutex_lock(&audit->mutex);
		bool idle = !audit->first && !audit->writing && !atomic_load(&audit->expected);
		pthread_mutex_unlock(&audit->mutex);
		if (idle) {
			return;
		}
		nanosleep(&(struct timespec){.tv_nsec = DRAIN_STEP}, NULL);
	}
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
	return request->call == CALL_OPEN || request->call == CALL_CONNECT ||
	       request->call == CALL_SOCKET || request->call == CALL_PATH ||
	       request->verdict.action != POLICY_ALLOW;
}

void audit_expect(struct audit *audit)
{
	atomic_fetch_add(&audit->expected, 1);
}

static void record(struct audit *audit, const struct request *request, enum act_outcome outcome)
{
	if (!is_decision(request) || outcome == ACT_GONE || outcome == ACT_GIVE_BACK) {
		return;
	}
	count(audit->counters, request);
	bool for_log = request->verdict.log && audit->log_fd >= 0;
	if (for_log || audit->verbose_fd >= 0) {
		enqueue(audit, audit_record_new(request, for_log));
	}
}

void audit(struct audit *audit, const struct request *request, enum act_outcome outcome)
{
	record(audit, request, outcome);
	atomic_fetch_sub(&audit->expected, 1);
}
