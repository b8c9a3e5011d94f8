/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `net =` of [policy]: the network that the programs live in. As with a section's default, the file
 * nearest to the first counts, so that a file can overrule what it includes.
 */
#pragma once

#include "daemon/policy/model.h"
#include "daemon/policy/split.h"

/* Takes the setting's words; `depth` is of their file, below the first. 0, or -EINVAL, complained.
 */
int network_setting_read(struct policy *policy, const struct tokens *words, unsigned int depth,
	struct complaints *complaints);

/* Is what was asked for no wider than what the policy says? Else -EINVAL, with the mistake in it.
 */
int network_setting_check(const struct policy *policy, struct policy_report *report);
