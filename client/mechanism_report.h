/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who enforces what of a policy, and why: what the policy says (daemon/policy/mechanism.h), and
 * what this machine makes of it when a program is started here and now.
 */
#pragma once

#include "client/landlock_grants.h"
#include "daemon/policy/mechanism.h"

struct json_object;

struct mechanism_report {
	struct mechanisms mechanisms;
	unsigned int landlock;              /* the operations on files that are Landlock's here */
	char unsuited[LANDLOCK_REASON_MAX]; /* why they are not, though the policy lets them; or ""
					     */
};

int mechanism_report_make(struct mechanism_report *report, const struct policy *policy);

/* Why the broker is asked about these operations on files: a line for each reason, or none where
 * Landlock is asked, or could not be. */
void mechanism_report_explain(
	const struct mechanism_report *report, unsigned int operations, const char *label);

/* A line for each operation and section. */
void mechanism_report_print(const struct mechanism_report *report, const struct policy *policy);
/* The same as an object: the caller's. */
struct json_object *mechanism_report_to_json(
	const struct mechanism_report *report, const struct policy *policy);
