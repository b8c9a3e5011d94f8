/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/cleanup.h"
#include "daemon/config.h"
#include "daemon/context.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/syscall_names.h"
#include "daemon/session.h"
#include "paths.h"

static void add_call(struct metrics_sum *sum, const struct session_call *call, uint32_t number)
{
	/* A broker wrote it, and a broker is not trusted. */
	uint64_t *counts =
		sum->calls[number <= METRICS_CALLS && number > 0 ? number - 1 : METRICS_CALLS];

	for (size_t i = 0; i < SESSION_VERDICTS; i++) {
		counts[i] += atomic_load_explicit(&call->counts[i], memory_order_relaxed);
	}
}

static void add_session(struct metrics_sum *sum, const struct session_memory *memory)
{
	const struct session_statistics *statistics = &memory->statistics;

	for (size_t i = 0; i < SESSION_CALLS; i++) {
		uint32_t number = atomic_load(&statistics->calls[i].number);
		if (number != 0) {
			add_call(sum, &statistics->calls[i], number);
		}
	}
	add_call(sum, &statistics->other, 0);
	for (size_t i = 0; i < SESSION_DELAYS; i++) {
		sum->delays[i] += atomic_load(&statistics->delays[i]);
	}
	sum->nanoseconds += atomic_load(&statistics->nanoseconds);
	sum->untold += atomic_load(&statistics->untold);
	sum->audit_dropped += atomic_load(&memory->counters.audit_dropped);
	sum->broker_starts += atomic_load(&memory->counters.broker_starts);
}

void metrics_keep(struct metrics *metrics, const struct session_memory *memory)
{
	add_session(&metrics->ended, memory);
}

/* A label's value as the format wants it: \, " and newline escaped. Cuts what does not fit. */
static void escape_label(char *out, size_t size, const char *value)
{
	size_t length = 0;

	for (; *value && length + 3 < size; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n') {
			out[length++] = '\\';
		}
		out[length++] = (char)(*value == '\n' ? 'n' : *value);
	}
	out[length] = '\0';
}

static void begin(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void render_number(
	FILE *out, const char *name, const char *type, const char *help, uint64_t value)
{
	begin(out, name, type, help);
	fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void render_build(FILE *out)
{
	char version[64];

	escape_label(version, sizeof(version), USHER_VERSION);
	begin(out, "usher_build_info", "gauge", "The release of usherd that answers.");
	fprintf(out, "usher_build_info{version=\"%s\"} 1\n", version);
}

static void render_sessions(FILE *out, const struct context *context, const uid_t *uid)
{
	uint64_t counts[SESSION_STATES] = {0};
	const struct session *session;

	LIST_FOREACH(session, &context->sessions, entry)
	{
		counts[session->state] += !uid || session->peer.uid == *uid;
	}
	begin(out, "usher_sessions", "gauge", "Sessions that live, by the state of their broker.");
	for (enum session_state i = 0; i < SESSION_STATES; i++) {
		fprintf(out, "usher_sessions{state=\"%s\"} %" PRIu64 "\n", session_state_name(i),
			counts[i]);
	}
}

static void render_calls(FILE *out, const struct metrics_sum *sum)
{
	begin(out, "usher_notifications_total", "counter",
		"Calls that were notified and answered, by system call and verdict.");
	for (unsigned int call = 0; call <= METRICS_CALLS; call++) {
		char name[SYSCALL_NAME_MAX] = "other";
		if (call < METRICS_CALLS && !syscall_name((int)call, name, sizeof(name))) {
			snprintf(name, sizeof(name), "%u", call);
		}
		for (size_t i = 0; i < SESSION_VERDICTS; i++) {
			if (sum->calls[call][i] != 0) {
				fprintf(out,
					"usher_notifications_total{call=\"%s\",verdict=\"%s\"} "
					"%" PRIu64 "\n",
					name, policy_action_name((enum policy_action)i),
					sum->calls[call][i]);
			}
		}
	}
}

/* Buckets of the format are cumulative, and their bounds are seconds. */
static void render_delays(FILE *out, const struct metrics_sum *sum)
{
	static const char name[] = "usher_answer_seconds";
	uint64_t count = 0;

	begin(out, name, "histogram",
		"From the receipt of a notification to its answer, waiting for its target's sake "
		"included.");
	for (unsigned int i = 0; i + 1 < SESSION_DELAYS; i++) {
		count += sum->delays[i];
		fprintf(out, "%s_bucket{le=\"%.6f\"} %" PRIu64 "\n", name, (double)(1u << i) / 1e6,
			count);
	}
	count += sum->delays[SESSION_DELAYS - 1];
	fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
	fprintf(out, "%s_sum %.9f\n%s_count %" PRIu64 "\n", name, (double)sum->nanoseconds / 1e9,
		name, count);
}

static void render_daemon(FILE *out, const struct context *context)
{
	const struct metrics *metrics = &context->metrics;
	const struct {
		const char *name, *type, *help;
		uint64_t value;
	} numbers[] = {
		{"usher_handovers", "gauge", "Clients that have not come to their session yet.",
			context->clients_tally.total},
		{"usher_sessions_limit", "gauge", "Sessions that may live at the same time.",
			context->config->sessions.total},
		{"usher_sessions_started_total", "counter", "Sessions that began.",
			metrics->sessions_started},
		{"usher_sessions_refused_total", "counter", "Clients that got no session.",
			metrics->sessions_refused},
		{"usher_broker_deaths_total", "counter", "Brokers that died and were replaced.",
			metrics->broker_deaths},
		{"usher_reloads_total", "counter", "Reloads that took effect.", metrics->reloads},
		{"usher_reloads_failed_total", "counter", "Reloads that changed nothing.",
			metrics->reloads_failed},
	};

	for (size_t i = 0; i < array_length(numbers); i++) {
		render_number(
			out, numbers[i].name, numbers[i].type, numbers[i].help, numbers[i].value);
	}
}

static void render(
	FILE *out, const struct context *context, const uid_t *uid, const struct metrics_sum *sum)
{
	render_build(out);
	render_sessions(out, context, uid);
	render_calls(out, sum);
	render_delays(out, sum);
	render_number(out, "usher_broker_starts_total", "counter", "Brokers that were started.",
		sum->broker_starts);
	render_number(out, "usher_audit_dropped_total", "counter",
		"Lines of audit logs that were left out.", sum->audit_dropped);
	render_number(out, "usher_monitor_dropped_total", "counter",
		"Decisions that somebody watched and that were left out.", sum->untold);
	if (!uid) {
		render_daemon(out, context);
	}
}

char *metrics_render(const struct context *context, const uid_t *uid)
{
	struct metrics_sum *sum = calloc(1, sizeof(*sum));
	cleanup_free void *owned = sum;
	const struct session *session;
	char *text = NULL;
	size_t size;
	FILE *out = sum ? open_memstream(&text, &size) : NULL;

	if (!out) {
		return NULL;
	}
	if (!uid) {
		*sum = context->metrics.ended;
	}
	LIST_FOREACH(session, &context->sessions, entry)
	{
		if (!uid || session->peer.uid == *uid) {
			add_session(sum, session->memory);
		}
	}
	render(out, context, uid, sum);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
