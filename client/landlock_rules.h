/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules about files as they come in a FILTER (include/usher/wire.h): in their order, each a sign
 * and a pattern. Names are absolute; the root is "/".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/string_pack.h"

struct pattern;

struct landlock_rule {
	char sign;
	struct pattern *pattern;
};

struct landlock_rule_list {
	struct landlock_rule *rules;
	size_t count;
};

/* Each sign is one of `signs`. 0, -ENOMEM, or -EPROTO for what is no such rule. */
int landlock_rule_list_read(
	struct landlock_rule_list *rules, const struct string_pack *strings, const char *signs);
void landlock_rule_list_finish(struct landlock_rule_list *rules);

/* The first that is about this name; NULL if none is. */
const struct landlock_rule *landlock_rule_list_find(
	const struct landlock_rule_list *rules, const char *path, size_t length);
