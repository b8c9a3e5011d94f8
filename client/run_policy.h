/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of a session that is run without usherd, found and loaded as its user's. */
#pragma once

#include "client/run.h"
#include "daemon/policy/policy.h"

/* 0, or a negative errno after standard error was told why. Warnings are told there, too. */
int run_policy_load(struct policy **policyp, const struct run_options *options);
