/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/grants.h"

#include <assert.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/mechanism.h"
#include "daemon/policy/model.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/reading.h"
#include "usher/wire.h"

static_assert(sizeof(WIRE_GRANT_LETTERS) - 1 == MECHANISM_OPERATIONS, "a letter for each");

/* Appends LETTERS PATH [/], with its NUL. */
static int append(
	struct string_pack *grants, unsigned int operations, const struct pattern *pattern)
{
	bool is_tree = pattern_is_tree(pattern);
	size_t length;
	const char *path = pattern_prefix(pattern, &length);
	size_t size = (size_t)__builtin_popcount(operations) + length + is_tree + 1;
	char *text;
	int error = string_pack_add(grants, WIRE_GRANTS_MAX, size, &text);

	if (error < 0) {
		return error;
	}
	for (unsigned int i = 0; i < MECHANISM_OPERATIONS; i++) {
		if ((operations & 1u << i) != 0) {
			*text++ = WIRE_GRANT_LETTERS[i];
		}
	}
	text = mempcpy(text, path, length);
	if (is_tree) {
		*text++ = '/';
	}
	*text = '\0';
	return 0;
}

/* Of what lies in a directory that is allowed as well the latter is enough. */
static unsigned int granted_by(const struct survey *survey, size_t index, unsigned int operations)
{
	unsigned int granted = survey->live[index] & operations;

	if (survey->policy->paths[index].rule->action != POLICY_ALLOW) {
		return 0;
	}
	for (unsigned int rest = granted; rest != 0; rest &= rest - 1) {
		if (mechanism_is_nested(survey, index, rest & -rest)) {
			granted &= ~(rest & -rest);
		}
	}
	return granted;
}

int grants_make(struct string_pack *grants, const struct policy *policy,
	const struct mechanisms *mechanisms, unsigned int operations)
{
	unsigned int by_rules =
		policy->mechanism == MECHANISM_KERNEL ? operations & OPERATION_READ : 0;
	int error = 0;

	*grants = (struct string_pack){NULL, 0, 0};
	for (size_t i = 0; operations != 0 && i < policy->path_count && error == 0; i++) {
		unsigned int granted = granted_by(&mechanisms->survey, i, operations & ~by_rules);

		if (granted != 0) {
			error = append(grants, granted, policy->paths[i].subject->path.pattern);
		}
	}
	if (error == 0 && by_rules != 0) {
		error = reading_rules_append(grants, policy, mechanisms->signs);
	}
	if (error < 0) {
		string_pack_finish(grants);
	}
	return error;
}
