/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rules leave nothing for a later one.
 */
#pragma once

#include "daemon/policy/model.h"

/*
 * The last of the rules before rules[index] that together take all that this subject of it could
 * match, or NULL if something is left for it. `rules` are all of a section of the policy.
 */
const struct policy_rule *lint_find_cover(const struct policy *policy,
	const struct policy_rule *rules, size_t index, const struct policy_subject *subject);
