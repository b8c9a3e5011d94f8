/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `usher monitor`: decisions as the daemon's brokers make them. For people on a terminal, with what
 * was denied in red; for programs as JSON, one object a line, as it comes from the daemon.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/color.h"
#include "client/commands.h"
#include "client/control.h"
#include "client/session_table.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"
#include "daemon/policy/command_line.h"
#include "daemon/policy/words.h"

#define CELL_SIZE 4096

static const char usage[] =
	"Usage: usher monitor [OPTION]...\n"
	"Shows decisions as they are made, in the sessions of usherd that are your own, or as "
	"root\n"
	"in all. What it shows on a terminal is for people, else it is JSON, one object a line.\n"
	"Each of the first three may be given several times; then one of them has to fit.\n"
	"\n"
	"  -n, --session N       only in this session\n"
	"  -v, --verdict WORD    only allow, deny, inject or kill\n"
	"  -o, --operation WORD  only read, write, create, connect ...\n"
	"  -p, --policy NAME     only under this policy\n"
	"      --path GLOB       only of names that match; * stands for slashes, too\n"
	"  -c, --count N         end after so many decisions\n" CONTROL_USAGE;

struct monitor_options {
	struct control_options control;
	struct json_object *request;
	uint64_t count; /* 0: without end */
};

static void add_to_list(struct json_object *request, const char *key, struct json_object *value)
{
	struct json_object *list = NULL;

	if (json_object_object_get_ex(request, key, &list)) {
		json_append(list, value);
		return;
	}
	list = json_object_new_array();
	json_append(list, value);
	json_add(request, key, list);
}

/* An option of our own. 0, or -EINVAL, told. */
static int take_option(struct monitor_options *options, int option)
{
	struct json_object *request = options->request;
	uint64_t number = 0;

	switch (option) {
	case 'n':
		if (command_line_number("session", optarg, 0, UINT64_MAX, &number) < 0) {
			return -EINVAL;
		}
		add_to_list(request, "sessions", json_object_new_uint64(number));
		return 0;
	case 'v':
		if (command_line_word("verdict", optarg, &action_words, NULL) < 0) {
			return -EINVAL;
		}
		add_to_list(request, "verdicts", json_object_new_string(optarg));
		return 0;
	case 'o':
		add_to_list(request, "operations", json_object_new_string(optarg));
		return 0;
	case 'p':
		json_add(request, "policy", json_object_new_string(optarg));
		return 0;
	case 'g':
		json_add(request, "path", json_object_new_string(optarg));
		return 0;
	case 'c':
		return command_line_number("count", optarg, 1, UINT64_MAX, &options->count);
	default:
		return -EINVAL;
	}
}

static int parse_options(struct monitor_options *options, int argc, char **argv)
{
	static const struct option known[] = {{"session", required_argument, NULL, 'n'},
		{"verdict", required_argument, NULL, 'v'},
		{"operation", required_argument, NULL, 'o'},
		{"policy", required_argument, NULL, 'p'}, {"path", required_argument, NULL, 'g'},
		{"count", required_argument, NULL, 'c'}, CONTROL_OPTIONS, {NULL, 0, NULL, 0}};

	for (int option; (option = command_line_next(
				  argc, argv, ":n:v:o:p:c:" CONTROL_LETTERS, known)) != -1;) {
		if (!control_option(&options->control, option, usage) &&
			take_option(options, option) < 0) {
			return -EINVAL;
		}
	}
	return command_line_end(argv[0], argv + optind);
}

static const char *color_of(const char *verdict)
{
	static const struct {
		const char *verdict, *color;
	} colors[] = {{"deny", "\033[31m"}, {"inject", "\033[33m"}, {"kill", "\033[1;31m"},
		{"allow", "\033[32m"}};

	for (size_t i = 0; i < array_length(colors); i++) {
		if (strcmp(colors[i].verdict, verdict) == 0) {
			return colors[i].color;
		}
	}
	return "";
}

/* A member behind something that leads to it; nothing where it is not there. */
static void print_member(struct json_object *event, const char *before, const char *key)
{
	char cell[CELL_SIZE];
	const char *text = json_text_of(event, key);

	if (text[0]) {
		session_table_text(cell, sizeof(cell), text);
		printf("%s%s", before, cell);
	}
}

/* As --verbose of run: without the directory. */
static void print_rule(const char *rule)
{
	char cell[CELL_SIZE];
	const char *name = strrchr(rule, '/');

	if (rule[0]) {
		session_table_text(cell, sizeof(cell), name ? name + 1 : rule);
		printf(" %s", cell);
	}
}

static void print_decision(struct json_object *event, bool color)
{
	const char *verdict = json_text_of(event, "verdict");
	const char *time = strchr(json_text_of(event, "time"), 'T');
	char cell[CELL_SIZE];

	session_table_text(cell, sizeof(cell), time ? time + 1 : "?");
	printf("%.12s %" PRIu64 " %s%s%s", cell, json_number_of(event, "session"),
		color ? color_of(verdict) : "", verdict, color ? "\033[0m" : "");
	print_member(event, " ", "call");
	if (strcmp(json_text_of(event, "call"), json_text_of(event, "operation")) != 0) {
		print_member(event, " ", "operation");
	}
	print_member(event, " ", "asked");
	print_member(event, " = ", "resolved");
	print_member(event, ": ", "errno");
	print_member(event, " [", "program");
	printf(" %" PRIu64 "]", json_number_of(event, "pid"));
	print_rule(json_text_of(event, "rule"));
	printf(" %" PRIu64 " us\n", json_number_of(event, "microseconds"));
}

static void print_event(struct json_object *event, bool color)
{
	const char *name = json_text_of(event, "event");

	if (strcmp(name, "decision") == 0) {
		print_decision(event, color);
		return;
	}
	printf("session %" PRIu64 ": %s", json_number_of(event, "session"), name);
	print_member(event, ": ", "policy");
	if (strcmp(name, "left-out") == 0) {
		printf(": %" PRIu64 " decisions", json_number_of(event, "count"));
	}
	print_member(event, ": ", "command");
	(void)putchar('\n');
}

static int show(struct control *control, const struct monitor_options *options)
{
	bool for_people = !options->control.json && isatty(STDOUT_FILENO);
	bool color = for_people && color_is_wanted(STDOUT_FILENO);
	struct json_object *event = NULL, *error = NULL;
	uint64_t shown = 0;

	int result;
	while ((result = control_next(control, true, &event)) == 0) {
		if (json_object_object_get_ex(event, "error", &error)) {
			control_complain_of(error);
			json_object_put(event);
			return EXIT_FAILURE;
		}
		bool gone = false;
		if (for_people) {
			print_event(event, color);
		} else {
			gone = control_print(event) < 0;
		}
		gone = fflush(stdout) != 0 || gone;
		shown += strcmp(json_text_of(event, "event"), "decision") == 0;
		json_object_put(event);
		if (gone || (options->count > 0 && shown >= options->count)) {
			return gone ? EXIT_FAILURE : EXIT_SUCCESS;
		}
	}
	(void)fprintf(stderr, "usher: usherd has ended the connection%s%s\n",
		result == -ECONNRESET ? "" : ": ", result == -ECONNRESET ? "" : strerror(-result));
	return EXIT_FAILURE;
}

int command_monitor(int argc, char **argv)
{
	struct monitor_options options = {.request = control_request("monitor")};
	struct json_object *answer = NULL;
	struct control control;

	if (parse_options(&options, argc, argv) < 0) {
		json_object_put(options.request);
		return command_line_wrong(argv[0]);
	}
	if (control_open(&control, &options.control) < 0) {
		json_object_put(options.request);
		return EXIT_FAILURE;
	}
	int status = EXIT_FAILURE;
	if (control_ask(&control, options.request, &answer) == 0) {
		json_object_put(answer);
		status = show(&control, &options);
	}
	control_close(&control);
	return status;
}
