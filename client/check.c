/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `usher check`: everything that is wrong with policies, or surely not meant, in one run. A policy
 * is in order if it can be run: so its filter is made as well, and must fit.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/json_print.h"
#include "client/mechanism_report.h"
#include "client/policy_file.h"
#include "daemon/base/json.h"
#include "daemon/policy/command_line.h"
#include "daemon/policy/execute.h"
#include "daemon/policy/filter.h"
#include "daemon/policy/filter_launch.h"

enum check_exit { CHECK_CLEAN = 0, CHECK_WARNINGS = 1, CHECK_ERRORS = 2 };

static const char usage[] =
	"Usage: usher check [--strict] [--mechanisms] [--json] [--set NAME=VALUE]... POLICY...\n"
	"\n"
	"Reports all mistakes in policies, and what is legal and surely not meant.\n"
	"POLICY is a name, looked for as by `usher run --policy`, or a file (with a slash).\n"
	"\n"
	"  --strict          exit with 1 if there are warnings\n"
	"  --mechanisms      tell who enforces what, and why\n"
	"  --json            one JSON array instead of lines\n"
	"  --set NAME=VALUE  give a variable its value\n"
	"  --help            print this\n"
	"\n"
	"Exit status: 0 clean, 1 warnings (with --strict), 2 errors.\n";

struct check_options {
	bool strict, mechanisms, json;
	struct sets sets;
};

/* What is known of one policy. */
struct check {
	const char *name;
	struct policy_file file;
	int error;
	size_t rule_count, instruction_count;
	char trouble[200]; /* with the filter; empty if there is none */
	bool trouble_is_error;
	bool has_mechanisms;
	struct mechanism_report mechanisms;
};

static size_t count_rules(const struct policy *policy)
{
	size_t total = 0;

	for (int section = 0; section < POLICY_SECTIONS; section++) {
		size_t count;
		const struct policy_rule *rules =
			policy_rules(policy, (enum policy_section)section, &count);

		for (size_t i = 0; i < count; i++) {
			total += !rules[i].is_default;
		}
	}
	return total;
}

static void check_launch(struct check *check, const struct filter *filter)
{
	const char *call = filter_launch_obstacle(filter);

	if (call) {
		snprintf(check->trouble, sizeof(check->trouble),
			"no program can be started: [syscalls] refuses %s; allow it", call);
	}
}

static void check_filter(struct check *check, bool targets_are_root)
{
	const struct filter_options options = {.targets_are_root = targets_are_root};
	struct filter filter;
	int error = filter_compile(&filter, check->file.policy, &options);

	if (!error) {
		check_launch(check, &filter);
		check->instruction_count = filter.count > check->instruction_count
						   ? filter.count
						   : check->instruction_count;
		filter_finish(&filter);
		return;
	}
	check->error = error;
	check->trouble_is_error = true;
	snprintf(check->trouble, sizeof(check->trouble), "the filter cannot be made: %s",
		error == -E2BIG ? "[syscalls] and [sockets] come to more than 4096 instructions; "
				  "use fewer comparisons of arguments"
				: strerror(-error));
}

/* They travel in one packet, so there is an end of them. */
static void check_execute(struct check *check)
{
	struct string_pack rules;
	int error = execute_rules_make(&rules, check->file.policy);

	if (!error) {
		string_pack_finish(&rules);
		return;
	}
	check->error = error;
	check->trouble_is_error = true;
	snprintf(check->trouble, sizeof(check->trouble),
		"the rules about execute cannot be enforced: %s",
		error == -E2BIG ? "their paths come to more than 24 KiB; name directories"
				: strerror(-error));
}

static void check_policy(struct check *check, const struct check_options *options)
{
	const struct policy_wanted wanted = {
		.name = check->name, .sets = &options->sets, .flags = POLICY_LOAD_LINT};

	check->error = policy_file_load(&check->file, &wanted);
	if (check->error) {
		return;
	}
	check->rule_count = count_rules(check->file.policy);
	check_filter(check, false);
	if (!check->error) {
		check_filter(check, true);
	}
	if (!check->error) {
		check_execute(check);
	}
	check->has_mechanisms = options->mechanisms && !check->error;
	if (check->has_mechanisms) {
		check->error = mechanism_report_make(&check->mechanisms, check->file.policy);
	}
	if (check->error == -ENOMEM && check->has_mechanisms) {
		check->has_mechanisms = false;
		check->trouble_is_error = true;
		snprintf(check->trouble, sizeof(check->trouble),
			"what enforces it cannot be found out: %s", strerror(ENOMEM));
	}
}

static enum check_exit check_result(const struct check *check, const struct check_options *options)
{
	bool has_warnings = check->file.report.warning_count || check->trouble[0];

	if (check->error) {
		return CHECK_ERRORS;
	}
	return options->strict && has_warnings ? CHECK_WARNINGS : CHECK_CLEAN;
}

static void print_check(const struct check *check)
{
	policy_file_complain(&check->file, check->name, check->file.policy ? 0 : check->error);
	if (check->trouble[0]) {
		fprintf(stderr, "%s: %s: %s\n", check->file.path,
			check->trouble_is_error ? "error" : "warning", check->trouble);
	}
	size_t warnings = check->file.report.warning_count + (check->trouble[0] != '\0');
	if (!check->error && warnings == 0) {
		printf("%s: ok, %zu rules, a filter of %zu instructions\n", check->file.path,
			check->rule_count, check->instruction_count);
	} else if (!check->error) {
		printf("%s: %zu warning%s, %zu rules, a filter of %zu instructions\n",
			check->file.path, warnings, warnings == 1 ? "" : "s", check->rule_count,
			check->instruction_count);
	}
	if (check->has_mechanisms) {
		mechanism_report_print(&check->mechanisms, check->file.policy);
	}
}

static void add_number(struct json_object *object, const char *key, size_t number)
{
	json_add(object, key, json_object_new_int64((int64_t)number));
}

static struct json_object *diagnostic_to_json(const struct policy_diagnostic *diagnostic)
{
	struct json_object *object = json_object_new_object();

	json_add_text(
		object, "severity", diagnostic->severity == POLICY_ERROR ? "error" : "warning");
	json_add_text(object, "file", diagnostic->file);
	add_number(object, "line", diagnostic->line);
	add_number(object, "column", diagnostic->column);
	json_add_text(object, "text", diagnostic->text);
	return object;
}

static struct json_object *check_to_json(const struct check *check)
{
	struct json_object *object = json_object_new_object();
	struct json_object *diagnostics = json_object_new_array();
	const struct policy_report *report = &check->file.report;

	for (size_t i = 0; i < report->count; i++) {
		json_append(diagnostics, diagnostic_to_json(&report->items[i]));
	}
	if (check->trouble[0]) {
		struct policy_diagnostic trouble = {
			.severity = check->trouble_is_error ? POLICY_ERROR : POLICY_WARNING,
			.file = check->file.path,
			.text = (char *)check->trouble,
		};

		json_append(diagnostics, diagnostic_to_json(&trouble));
	}
	json_add_text(object, "policy", check->name);
	json_add_text(object, "file", check->file.path);
	json_add_text(object, "error", check->error ? strerror(-check->error) : NULL);
	add_number(object, "rules", check->rule_count);
	add_number(object, "instructions", check->instruction_count);
	if (check->has_mechanisms) {
		json_add(object, "mechanisms",
			mechanism_report_to_json(&check->mechanisms, check->file.policy));
	}
	json_add(object, "diagnostics", diagnostics);
	return object;
}

static enum check_exit check_all(char **names, const struct check_options *options)
{
	enum check_exit result = CHECK_CLEAN;
	struct json_object *array = options->json ? json_object_new_array() : NULL;

	for (; *names; names++) {
		struct check check = {.name = *names};
		enum check_exit one;

		check_policy(&check, options);
		one = check_result(&check, options);
		result = one > result ? one : result;
		if (options->json) {
			json_append(array, check_to_json(&check));
		} else {
			print_check(&check);
		}
		policy_file_finish(&check.file);
	}
	if (options->json && json_print(array, "check") < 0) {
		result = CHECK_ERRORS;
	}
	json_object_put(array);
	return result;
}

enum { OPTION_HELP = 'h', OPTION_STRICT = 256, OPTION_MECHANISMS, OPTION_JSON, OPTION_SET };

static const struct option long_options[] = {
	{"strict", no_argument, NULL, OPTION_STRICT},
	{"mechanisms", no_argument, NULL, OPTION_MECHANISMS},
	{"json", no_argument, NULL, OPTION_JSON},
	{"set", required_argument, NULL, OPTION_SET},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

/* 0, 1 if help was asked for, or -EINVAL (said on stderr). */
static int parse_options(struct check_options *options, int argc, char **argv)
{
	int option;

	while ((option = command_line_next(argc, argv, ":h", long_options)) != -1) {
		switch (option) {
		case OPTION_STRICT:
			options->strict = true;
			break;
		case OPTION_MECHANISMS:
			options->mechanisms = true;
			break;
		case OPTION_JSON:
			options->json = true;
			break;
		case OPTION_SET:
			if (sets_add(&options->sets, optarg) < 0) {
				return -EINVAL;
			}
			break;
		case OPTION_HELP:
			return 1;
		default:
			return -EINVAL;
		}
	}
	return 0;
}

int command_check(int argc, char **argv)
{
	struct check_options options = {0};
	int parsed = parse_options(&options, argc, argv);

	if (parsed == 1) {
		fputs(usage, stdout);
		return CHECK_CLEAN;
	}
	if (!parsed && optind == argc) {
		fputs("usher check: no POLICY is named\n", stderr);
		parsed = -EINVAL;
	}
	if (parsed) {
		return command_line_wrong(argv[0]);
	}
	return (int)check_all(argv + optind, &options);
}
