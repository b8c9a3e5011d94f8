/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subjects of a rule, from the words of its value: for each section its own reading.
 */
#pragma once

#include "daemon/policy/address.h"
#include "daemon/policy/rule.h"
#include "daemon/policy/split.h"
#include "daemon/policy/variables.h"

struct subject_reading {
	const struct variables *variables;
	const struct service_lookup *services;
	struct complaints *complaints;
	struct expansion expansion; /* used again and again; the caller's to finish */
};

/*
 * Fills subjects and subject_count of `rule`, whose section and action are set. 0, -ENOMEM, or
 * -EINVAL with every mistake complained about; what was filled is the rule's in any case.
 */
int subjects_parse(
	struct policy_rule *rule, struct subject_reading *reading, const struct tokens *tokens);
