/* SPDX-License-Identifier: Apache-2.0 */
/* One run of the checks, and how each of them tells what it found. */
#pragma once

#include "daemon/policy/model.h"

struct lint {
	const struct policy *policy;
	struct policy_report *reports; /* one for each of the policy's files */
	bool no_memory;
};

void lint_warn(struct lint *lint, struct policy_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Where the subject stands, or the rule if it is NULL. */
struct policy_place lint_place_of(
	const struct policy_rule *rule, const struct policy_subject *subject);
