/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The variables of a policy as they are for the user who runs us: what `run`, `check` and `explain`
 * load a policy with. HOME and USER come from the password database, as with ssh, and from the
 * environment only where that does not know us; so a policy means the same by whichever way it is
 * run. A directory that exists is given by its resolved name, for it is resolved names that
 * patterns are held against.
 */
#pragma once

#include <stddef.h>

#include "daemon/policy/policy.h"

struct client_variables {
	struct policy_variables values; /* point into the rest */
	char *home, *user, *uid, *cwd, *tmpdir, *xdg_runtime_dir;
};

/*
 * `sets` (NAME=VALUE, as of --set) stay the caller's and must outlive the variables. 0 or -ENOMEM;
 * what cannot be found out stays unknown, which is an error only where a rule asks for it.
 */
int client_variables_init(
	struct client_variables *variables, const char *const *sets, size_t set_count);
void client_variables_finish(struct client_variables *variables);
