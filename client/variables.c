/* SPDX-License-Identifier: Apache-2.0 */
#include "client/variables.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An absolute path from the environment or the password database, resolved if it exists. */
static char *directory(const char *path)
{
	char *resolved;

	if (!path || path[0] != '/') {
		return NULL;
	}
	resolved = realpath(path, NULL);
	return resolved ? resolved : strdup(path);
}

static char *word(const char *text)
{
	return text && text[0] ? strdup(text) : NULL;
}

int client_variables_init(
	struct client_variables *variables, const char *const *sets, size_t set_count)
{
	const struct passwd *entry = getpwuid(getuid());

	*variables = (struct client_variables){0};
	if (asprintf(&variables->uid, "%u", (unsigned int)getuid()) < 0) {
		variables->uid = NULL;
		return -ENOMEM;
	}
	variables->home = directory(entry ? entry->pw_dir : getenv("HOME"));
	variables->user = word(entry ? entry->pw_name : getenv("USER"));
	variables->cwd = getcwd(NULL, 0);
	variables->tmpdir = directory(getenv("TMPDIR"));
	variables->xdg_runtime_dir = directory(getenv("XDG_RUNTIME_DIR"));
	variables->values = (struct policy_variables){
		.home = variables->home,
		.user = variables->user,
		.uid = variables->uid,
		.cwd = variables->cwd,
		.tmpdir = variables->tmpdir,
		.xdg_runtime_dir = variables->xdg_runtime_dir,
		.sets = sets,
		.set_count = set_count,
	};
	return 0;
}

void client_variables_finish(struct client_variables *variables)
{
	free(variables->home);
	free(variables->user);
	free(variables->uid);
	free(variables->cwd);
	free(variables->tmpdir);
	free(variables->xdg_runtime_dir);
	*variables = (struct client_variables){0};
}
