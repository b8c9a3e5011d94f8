/* SPDX-License-Identifier: Apache-2.0 */
#include "client/run_policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/variables.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/install.h"

static void complain(const struct run_options *options, int error)
{
	(void)fprintf(stderr, "usher: the policy '%s' cannot be loaded: %s\n", options->policy,
		strerror(-error));
}

static void tell_where(const struct run_options *options, const char *const *directories)
{
	(void)fprintf(stderr, "usher: there is no policy '%s'; policies are looked for in:\n",
		options->policy);
	for (; directories && *directories; directories++) {
		(void)fprintf(stderr, "  %s\n", *directories);
	}
}

static int load(struct policy **policyp, const char *file, const struct run_options *options,
	const char *const *directories)
{
	struct client_variables variables;
	struct policy_report report = {0};
	int error = client_variables_init(&variables, options->sets.items, options->sets.count);

	if (error == 0) {
		const struct policy_options how = {.variables = variables.values,
			.directories = directories,
			.network = options->network};
		error = policy_load(policyp, file, &how, &report);
	}
	policy_report_print(&report, stderr, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
	if (error < 0 && report.error_count == 0) {
		complain(options, error);
	}
	policy_report_finish(&report);
	client_variables_finish(&variables);
	return error;
}

int run_policy_load(struct policy **policyp, const struct run_options *options)
{
	cleanup_free char *file = NULL;
	char **directories = install_policy_directories(INSTALL_POLICIES_OF_USER);
	const char *const *searched = (const char *const *)directories;
	int error = policy_find(options->policy, searched, &file);

	if (error == -ENOMEM) {
		complain(options, error);
	} else if (error < 0) {
		tell_where(options, searched);
	} else {
		error = load(policyp, file, options, searched);
	}
	install_free_directories(directories);
	return error;
}
