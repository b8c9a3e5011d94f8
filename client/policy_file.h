/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy as a user names it, loaded with the user's own variables: what `check`, `explain` and an
 * embedded `run` begin with.
 */
#pragma once

#include <stddef.h>

#include "client/sets.h"
#include "daemon/policy/policy.h"
#include "usher/wire.h"

struct policy_file {
	char *path;            /* NULL if it was not found */
	struct policy *policy; /* NULL if it was not loaded */
	struct policy_report report;
};

struct policy_wanted {
	const char *name; /* looked for in the policy directories, or a file, with a slash */
	const struct sets *sets;
	enum wire_network network; /* what is asked for beside the policy's own */
	unsigned int flags;        /* enum policy_load_flags */
};

/*
 * Finds and loads it. 0 or a negative errno; -ENOENT and -EINVAL with `path` NULL are about the
 * name. `file` is filled in any case and ended by policy_file_finish.
 */
int policy_file_load(struct policy_file *file, const struct policy_wanted *wanted);
void policy_file_finish(struct policy_file *file);

/*
 * Says on stderr what is in the report and, if `error` is not 0 and no mistake in there is its
 * reason, why `name` could not be found or loaded; also where memory lacked for the rest of it.
 */
void policy_file_complain(const struct policy_file *file, const char *name, int error);
