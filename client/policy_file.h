/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy as a user names it, loaded with the user's own variables: what `check` and `explain`
 * begin with.
 */
#pragma once

#include <stddef.h>

#include "client/sets.h"
#include "daemon/policy/policy.h"

struct policy_file {
	char *path;            /* NULL if it was not found */
	struct policy *policy; /* NULL if it was not loaded */
	struct policy_report report;
};

/*
 * Finds `name` as `run --policy` does and loads it with `flags` (enum policy_load_flags). 0 or a
 * negative errno; -ENOENT and -EINVAL with `path` NULL are about the name. `file` is filled in any
 * case and ended by policy_file_finish.
 */
int policy_file_load(
	struct policy_file *file, const char *name, const struct sets *sets, unsigned int flags);
void policy_file_finish(struct policy_file *file);

/* Says on stderr why `name` could not be found or loaded: the report, or a line of its own. */
void policy_file_complain(const struct policy_file *file, const char *name, int error);
