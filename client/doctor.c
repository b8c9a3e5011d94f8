/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `usher doctor`: runs every probe and says, a line each, whether this machine can do it, what it
 * costs, and what to do if not. The exit status is about `usher run`: 0 if it can work here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/color.h"
#include "client/commands.h"
#include "client/json_print.h"
#include "client/probe.h"
#include "daemon/base/json.h"
#include "daemon/policy/command_line.h"

static const char usage[] =
	"Usage: usher doctor [--json]\n"
	"\n"
	"Tries what usher needs of this machine, and says what is missing and what to do.\n"
	"\n"
	"  --json   one JSON object instead of the table\n"
	"  --help   print this\n"
	"\n"
	"Exit status: 0 if `usher run` can work here, 1 if it cannot.\n";

static const char *const colors[] = {
	[PROBE_OK] = "\033[32m", [PROBE_LIMITED] = "\033[33m", [PROBE_MISSING] = "\033[31m"};

static void print_line(const struct probe *probe, const struct probe_result *result, bool color)
{
	char cost[32] = "";

	if (result->cost_us >= 0) {
		snprintf(cost, sizeof(cost), "%.1f us", result->cost_us);
	}
	printf("%s%-8s%s %-22s %10s  %s\n", color ? colors[result->state] : "",
		probe_state_name(result->state), color ? "\033[0m" : "", probe->name, cost,
		result->detail);
	if (result->state != PROBE_OK && !result->untried) {
		printf("%-8s %-22s %10s  -> %s\n", "", "", "", probe->remedy);
	}
	fflush(stdout);
}

static bool blocks_run(const struct probe *probe, const struct probe_result *result)
{
	return probe->required && result->state == PROBE_MISSING;
}

static bool print_table(void)
{
	bool color = color_is_wanted(STDOUT_FILENO), works = true;

	for (size_t i = 0; i < probe_count; i++) {
		struct probe_result result;
		probe_run(&probes[i], &result);
		print_line(&probes[i], &result, color);
		works = works && !blocks_run(&probes[i], &result);
	}
	printf("\n%s\n", works ? "usher run works here."
			       : "usher run cannot work here: see what is missing above.");
	return works;
}

static struct json_object *to_json(const struct probe *probe, const struct probe_result *result)
{
	struct json_object *object = json_object_new_object();

	json_add(object, "name", json_object_new_string(probe->name));
	json_add(object, "state", json_object_new_string(probe_state_name(result->state)));
	json_add(object, "required", json_object_new_boolean(probe->required));
	if (result->cost_us >= 0) {
		json_add(object, "cost_us", json_object_new_double(result->cost_us));
	}
	json_add(object, "detail", json_object_new_string(result->detail));
	if (result->state != PROBE_OK && !result->untried) {
		json_add(object, "remedy", json_object_new_string(probe->remedy));
	}
	return object;
}

static bool print_json(void)
{
	struct json_object *report = json_object_new_object();
	struct json_object *list = json_object_new_array();
	bool works = true;

	for (size_t i = 0; i < probe_count; i++) {
		struct probe_result result;
		probe_run(&probes[i], &result);
		json_append(list, to_json(&probes[i], &result));
		works = works && !blocks_run(&probes[i], &result);
	}
	json_add(report, "run_works", json_object_new_boolean(works));
	json_add(report, "probes", list);
	int error = json_print(report, "doctor");
	json_object_put(report);
	return error == 0 && works;
}

int command_doctor(int argc, char **argv)
{
	static const struct option table[] = {{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	bool json = false;
	int option;

	while ((option = command_line_next(argc, argv, ":h", table)) >= 0) {
		switch (option) {
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			return command_line_wrong(argv[0]);
		}
	}
	if (command_line_end(argv[0], argv + optind) < 0) {
		return command_line_wrong(argv[0]);
	}
	return (json ? print_json() : print_table()) ? EXIT_SUCCESS : EXIT_FAILURE;
}
