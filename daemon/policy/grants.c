/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/grants.h"

#include <assert.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/mechanism.h"
#include "daemon/policy/model.h"
#include "daemon/policy/pattern.h"
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

int grants_make(struct string_pack *grants, const struct policy *policy, unsigned int operations)
{
	unsigned int live[MECHANISM_SUBJECTS_MAX];
	int error = 0;

	*grants = (struct string_pack){NULL, 0, 0};
	if (operations == 0) {
		return 0;
	}
	mechanism_survey(policy, live);
	for (size_t i = 0; i < policy->path_count && error == 0; i++) {
		const struct policy_choice *path = &policy->paths[i];
		unsigned int granted = live[i] & operations;

		if (granted != 0 && path->rule->action == POLICY_ALLOW) {
			error = append(grants, granted, path->subject->path.pattern);
		}
	}
	if (error < 0) {
		string_pack_finish(grants);
	}
	return error;
}
