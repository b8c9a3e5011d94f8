/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is legal and surely not meant.
 */
#pragma once

#include "daemon/policy/model.h"

/* Adds warnings to the reports of the policy's files, one for each. 0 or -ENOMEM. */
int lint_policy(const struct policy *policy, struct policy_report *reports);
