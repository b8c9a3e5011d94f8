/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Last stage: the audit log. One line a decision, as JSON to a file and in words to a terminal; and
 * to the supervisor, of every decision, while somebody watches (session_memory.watched). A worker
 * only counts and copies; a thread of its own looks up the program's name, formats and writes, so a
 * slow terminal or disk slows nobody. What a target can cause is bounded: lines that wait, lines a
 * second and bytes a session; what was left out is counted and told. What is only watched has a
 * bound of its own, so that it takes nothing from the log.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "daemon/broker/act.h"
#include "usher/session.h"

struct audit;
struct dns_answer;
struct policy_verdict;
struct request;

/* Where the lines go: descriptors, -1 where nobody wants them. */
struct audit_outputs {
	int log, verbose; /* consumed */
	int supervisor;   /* the control socket, for WIRE_DECISION: stays the caller's */
};

/*
 * 0 or a negative errno. The memory is the session's; its counters count all decisions, written or
 * not.
 */
int audit_new(
	struct audit **auditp, struct session_memory *memory, const struct audit_outputs *outputs);

/* Waits until all that was decided so far is written, or the log has been stuck for a second. */
void audit_drain(struct audit *audit);

/*
 * A decision is about to be answered: audit() will follow, and audit_drain() waits for it, for with
 * the answer the last target may end. Whoever is told of is still there to be asked for its name.
 */
void audit_expect(struct audit *audit, const struct request *request);

/* A question about a name, and what was answered. */
struct audit_name {
	pid_t tid;        /* who asked; 0: nobody knows */
	const char *name; /* as it was asked, escaped */
	int type;         /* enum __ns_type */
	const struct dns_answer *answer;
	const struct policy_verdict *verdict;
};

void audit_name(struct audit *audit, const struct audit_name *event);

void audit(struct audit *audit, const struct request *request, enum act_outcome outcome);
