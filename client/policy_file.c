/* SPDX-License-Identifier: Apache-2.0 */
/* See policy_file.h. */
#include "client/policy_file.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/color.h"
#include "client/variables.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/install.h"
#include "usher/wire.h"

static int load(struct policy_file *file, const struct policy_wanted *wanted,
	const char *const *directories)
{
	struct client_variables variables;
	struct policy_options options = {
		.directories = directories, .network = wanted->network, .flags = wanted->flags};
	int error = client_variables_init(&variables, wanted->sets->items, wanted->sets->count);

	if (error) {
		return error;
	}
	options.variables = variables.values;
	error = policy_load(&file->policy, file->path, &options, &file->report);
	client_variables_finish(&variables);
	return error;
}

int policy_file_load(struct policy_file *file, const struct policy_wanted *wanted)
{
	char **directories = install_policy_directories(INSTALL_POLICIES_OF_USER);
	int error;

	*file = (struct policy_file){0};
	if (!directories) {
		return -ENOMEM;
	}
	error = policy_find(wanted->name, (const char *const *)directories, &file->path);
	if (!error) {
		error = load(file, wanted, (const char *const *)directories);
	}
	install_free_directories(directories);
	return error;
}

void policy_file_finish(struct policy_file *file)
{
	free(file->path);
	policy_free(file->policy);
	policy_report_finish(&file->report);
	*file = (struct policy_file){0};
}

static void complain_of(const char *name, int error)
{
	fprintf(stderr, "usher: cannot load policy '%s': %s\n", name, strerror(-error));
}

static void complain_of_name(const char *name)
{
	char **directories = install_policy_directories(INSTALL_POLICIES_OF_USER);

	if (!directories) {
		complain_of(name, -ENOMEM);
		return;
	}
	fprintf(stderr, "usher: no policy '%s': looked for %s.ini in", name, name);
	for (char **directory = directories; *directory; directory++) {
		fprintf(stderr, "%s %s", directory == directories ? "" : ",", *directory);
	}
	fprintf(stderr, "; a file is named with a slash: ./%s\n", name);
	install_free_directories(directories);
}

void policy_file_complain(const struct policy_file *file, const char *name, int error)
{
	policy_report_print(&file->report, stderr, color_is_wanted(STDERR_FILENO));
	if (error == 0 || (error != -ENOMEM && file->report.error_count > 0)) {
		return;
	}
	if (!file->path && error == -ENOENT) {
		complain_of_name(name);
	} else if (!file->path && error == -EINVAL) {
		fprintf(stderr,
			"usher: '%s' is not the name of a policy; a file is named with a slash: "
			"./%s\n",
			name, name);
	} else {
		complain_of(name, error);
	}
}
