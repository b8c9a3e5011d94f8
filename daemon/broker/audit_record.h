/* SPDX-License-Identifier: Apache-2.0 */
/* One line of the audit log: what is copied of a request, and how it is written. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "daemon/broker/programs.h"
#include "daemon/policy/policy.h"

struct audit_name;
struct request;

struct audit_record {
	struct audit_record *next;
	bool for_log;
	struct timespec time; /* of day */
	pid_t tid;
	struct program program; /* look_up */
	const char *call;       /* what it was, if it was no system call; else NULL */
	int nr;
	const char *operation;     /* "" where the call says it all */
	enum policy_action action; /* the verdict ... */
	const char *verdict;       /* ... and its name */
	int error;                 /* the errno that the target got, or 0 */
	int value;                 /* what it got else */
	unsigned int microseconds;
	char *rule_file; /* a copy: the policy may be another's by then; NULL without a rule */
	unsigned int rule_line;
	const char *reason; /* of a verdict that no rule gave; or NULL */
	char *asked;        /* path or address as the target passed it */
	char *resolved;     /* as it was decided on; NULL where that is the same */
};

/* NULL if there is no memory. */
struct audit_record *audit_record_new(const struct request *request, bool for_log);
struct audit_record *audit_record_new_name(const struct audit_name *event, bool for_log);
void audit_record_free(struct audit_record *record);

/* Fills in who it was. If the target is gone and nothing was noted of it: "?". */
void audit_record_look_up(struct audit_record *record, struct programs *programs);

/* An allocated line with its newline, control characters escaped. `dropped` lines were left out
 * before it. */
char *audit_record_to_json(const struct audit_record *record, uint64_t session, uint64_t dropped);
char *audit_record_to_text(const struct audit_record *record, uint64_t dropped);
