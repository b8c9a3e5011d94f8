/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's metrics in Prometheus' text format. What sessions have counted stands in their
 * memories and is added up when somebody asks; what those had counted that have ended is kept here.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "usher/session.h"

#define METRICS_CALLS 512u /* system calls' numbers; what lies above is `other` */

struct context;

/* Sums over sessions. */
struct metrics_sum {
	uint64_t calls[METRICS_CALLS + 1][SESSION_VERDICTS]; /* the last is `other` */
	uint64_t delays[SESSION_DELAYS];
	uint64_t nanoseconds;
	uint64_t audit_dropped, untold, broker_starts;
};

struct metrics {
	struct metrics_sum ended; /* sessions */
	uint64_t sessions_started, sessions_refused, broker_deaths;
	uint64_t reloads, reloads_failed;
};

/* A session ends: its counts are kept. */
void metrics_keep(struct metrics *metrics, const struct session_memory *memory);

/*
 * The text, allocated; NULL without memory. `uid` NULL: of the whole daemon; else of this user's
 * living sessions alone.
 */
char *metrics_render(const struct context *context, const uid_t *uid);
