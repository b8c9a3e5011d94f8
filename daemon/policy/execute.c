/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that speak of execute, in their order, and the default behind them. What Landlock
 * cannot tell apart is not among them: a rule that says `execute` of a wildcard was refused when
 * the policy was read, and one that says `all` of it was kept from speaking of execute (model.c).
 */
#include "daemon/policy/execute.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/policy/model.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/pattern_wire.h"
#include "usher/wire.h"

bool execute_pattern_is_enforceable(const struct pattern *pattern)
{
	return pattern_literal(pattern) || pattern_is_tree(pattern);
}

/* Appends SIGN PATTERN, with its NUL. */
static int append(struct string_pack *rules, char sign, const struct pattern *pattern)
{
	char *text;
	int error = string_pack_add(
		rules, WIRE_EXECUTE_MAX, 1 + pattern_wire_length(pattern) + 1, &text);

	if (error == 0) {
		*text++ = sign;
		*pattern_wire_write(text, pattern) = '\0';
	}
	return error;
}

static int append_path(struct string_pack *rules, const struct policy_choice *path)
{
	const struct pattern *pattern = path->subject->path.pattern;
	const char *literal = pattern_literal(pattern);

	/* The root itself is no file that could be executed. */
	if ((path->operations & OPERATION_EXECUTE) == 0 || (literal && strcmp(literal, "/") == 0)) {
		return 0;
	}
	return append(rules, path->rule->action == POLICY_ALLOW ? '+' : '-', pattern);
}

static int append_default(struct string_pack *rules, const struct policy_rule *fallback)
{
	const char *rule = fallback->action == POLICY_ALLOW ? "+/**" : "-/**";
	char *text;
	int error = string_pack_add(rules, WIRE_EXECUTE_MAX, strlen(rule) + 1, &text);

	if (error == 0) {
		strcpy(text, rule);
	}
	return error;
}

int execute_rules_make(struct string_pack *rules, const struct policy *policy)
{
	const struct policy_section_rules *files = &policy->sections[POLICY_FILES];
	const struct policy_rule *fallback;
	int error = 0;

	*rules = (struct string_pack){NULL, 0, 0};
	if ((files->named & OPERATION_EXECUTE) == 0) {
		return 0;
	}
	fallback = &files->rules[files->count - 1];
	for (size_t i = 0; i < policy->path_count && error == 0; i++) {
		error = append_path(rules, &policy->paths[i]);
	}
	if (error == 0) {
		error = append_default(rules, fallback);
	}
	if (error < 0) {
		string_pack_finish(rules);
	}
	return error;
}
