/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be executed, as rules for Landlock. An execve(2) can neither be done by the broker nor
 * be looked at and continued, since the name would be read twice; so the kernel decides on it, by a
 * layer that the client lays on before the program starts. The rules go there as strings (see
 * FILTER in include/usher/wire.h): which files they mean is found out by the client, in its root.
 */
#pragma once

#include <stdbool.h>

#include "daemon/base/string_pack.h"

struct pattern;
struct policy;

/*
 * Without any string where no rule of the policy says `execute`. 0 or a negative errno, with
 * nothing made: -E2BIG if they would not fit into a packet.
 */
int execute_rules_make(struct string_pack *rules, const struct policy *policy);

/* Whether a rule about execute can be enforced: a file, or a directory and all below it. */
bool execute_pattern_is_enforceable(const struct pattern *pattern);
