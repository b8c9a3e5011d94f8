/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain meaning of [syscalls]: its rules read one after the other for one call. The filter is
 * held against this in the tests, and `usher explain` names the rule by it.
 */
#pragma once

#include <stdbool.h>

#include "daemon/policy/rule.h"

struct policy_verdict policy_decide_syscall(
	const struct policy *policy, int nr, const unsigned long long args[6]);

/* True if the subject speaks of the call, with some arguments at least. */
bool syscall_subject_names(const struct syscall_subject *subject, int nr);
