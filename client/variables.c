/* SPDX-License-Identifier: Apache-2.0 */
#include "client/variables.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Each of these has no value where there is nothing to take it from. 0 or -ENOMEM: what there was
 * no room for is not called missing.
 */

/* An absolute path from the environment or the password database, resolved if it exists. */
static int take_directory(const char *path, char **valuep)
{
	if (!path || path[0] != '/') {
		return 0;
	}
	*valuep = realpath(path, NULL);
	if (!*valuep && errno != ENOMEM) {
		*valuep = strdup(path);
	}
	return *valuep ? 0 : -ENOMEM;
}

static int take_word(const char *text, char **valuep)
{
	if (!text || !text[0]) {
		return 0;
	}
	*valuep = strdup(text);
	return *valuep ? 0 : -ENOMEM;
}

static int take_current_directory(char **valuep)
{
	*valuep = getcwd(NULL, 0);
	return *valuep || errno != ENOMEM ? 0 : -ENOMEM;
}

static int take_user(struct client_variables *variables)
{
	errno = 0;
	const struct passwd *entry = getpwuid(getuid());
	if (!entry && errno == ENOMEM) {
		return -ENOMEM;
	}
	if (asprintf(&variables->uid, "%u", (unsigned int)getuid()) < 0) {
		variables->uid = NULL;
		return -ENOMEM;
	}
	int result = take_directory(entry ? entry->pw_dir : getenv("HOME"), &variables->home);
	return result < 0 ? result
			  : take_word(entry ? entry->pw_name : getenv("USER"), &variables->user);
}

static int take_all(struct client_variables *variables)
{
	int result = take_user(variables);

	result = result < 0 ? result : take_current_directory(&variables->cwd);
	result = result < 0 ? result : take_directory(getenv("TMPDIR"), &variables->tmpdir);
	return result < 0 ? result
			  : take_directory(getenv("XDG_RUNTIME_DIR"), &variables->xdg_runtime_dir);
}

int client_variables_init(
	struct client_variables *variables, const char *const *sets, size_t set_count)
{
	*variables = (struct client_variables){0};
	if (take_all(variables) < 0) {
		client_variables_finish(variables);
		return -ENOMEM;
	}
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
