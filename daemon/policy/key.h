/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule's key, and the value of `default`: [audit|quiet] ACTION [ERRNO] [OPERATION ...].
 */
#pragma once

#include "daemon/policy/rule.h"
#include "daemon/policy/split.h"

struct key_parts {
	bool is_default;         /* the value of `default`: no operations */
	const struct token *all; /* the word `all`, if it was said */
};

/*
 * Fills action, error, operations, audit and quiet of `rule`, whose section is set. 0, or -EINVAL
 * with every mistake complained about. `tokens` is not empty.
 */
int key_parse(struct policy_rule *rule, struct key_parts *parts, const struct token *tokens,
	size_t count, struct complaints *complaints);
