/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy from files: all of it, or nothing and a report that says what is wrong.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/lint.h"
#include "daemon/policy/network_setting.h"
#include "daemon/policy/parse.h"
#include "daemon/policy/report.h"

/* The files' reports, in the order in which they were read, behind that of the whole. */
static int collect_reports(struct parse *parse)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < parse->report_count; i++) {
		report_sort(&parse->reports[i]);
		r = report_move(parse->report, &parse->reports[i]);
	}
	return r;
}

/* Warnings are about a policy that is whole. */
static bool is_right(const struct parse *parse)
{
	for (size_t i = 0; i < parse->report_count; i++) {
		if (parse->reports[i].error_count > 0) {
			return false;
		}
	}
	return true;
}

static int read_policy(struct parse *parse, const char *file, const struct policy_options *options)
{
	struct mistake mistake;
	int r = options->like
			? variables_copy(&parse->policy->variables, &options->like->variables)
			: variables_init(&parse->policy->variables, &options->variables, &mistake);

	parse->policy->variables.any_sets = (options->flags & POLICY_LOAD_ANY_SETS) != 0;
	if (r == -EINVAL) {
		report_add(parse->report, POLICY_ERROR, file, 0, 0, "%s", mistake.text);
	}
	r = r < 0 ? r : parse_policy(parse, file);
	r = r < 0 ? r : policy_seal(parse->policy);
	r = r < 0 ? r : network_setting_check(parse->policy, parse->report);
	if (r == 0 && (options->flags & POLICY_LOAD_LINT) != 0 && is_right(parse)) {
		r = lint_policy(parse->policy, parse->reports);
	}
	return r;
}

int policy_load(struct policy **policyp, const char *file, const struct policy_options *options,
	struct policy_report *report)
{
	cleanup_policy struct policy *policy = policy_new();
	struct source source = {
		.directories = options->directories,
		.regular = (options->flags & POLICY_LOAD_REGULAR) != 0,
		.trusted = (options->flags & POLICY_LOAD_TRUSTED) != 0,
		.texts = options->texts,
	};
	struct parse parse = {.policy = policy, .source = &source, .report = report};
	int r, collected;

	memset(report, 0, sizeof(*report));
	if (!policy) {
		return -ENOMEM;
	}
	policy->asked = options->like ? options->like->asked : options->network;
	r = read_policy(&parse, file, options);
	collected = collect_reports(&parse);
	parse_finish(&parse);
	r = r < 0 ? r : collected;
	if (r == 0 && report->error_count > 0) {
		r = -EINVAL;
	}
	if (r == 0) {
		*policyp = steal_pointer(&policy);
	}
	return r;
}

int policy_find(const char *name, const char *const *directories, char **pathp)
{
	if (*name == '\0' || *name == '.' || strchr(name, '/')) {
		if (!strchr(name, '/')) {
			return -EINVAL;
		}
		*pathp = strdup(name);
		return *pathp ? 0 : -ENOMEM;
	}
	for (size_t i = 0; directories && directories[i]; i++) {
		cleanup_free char *path = NULL;

		if (asprintf(&path, "%s/%s.ini", directories[i], name) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		if (access(path, F_OK) == 0) {
			*pathp = steal_pointer(&path);
			return 0;
		}
	}
	return -ENOENT;
}
