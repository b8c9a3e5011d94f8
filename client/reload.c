/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `usher reload`: has the daemon load configuration and policies anew, and tells what is wrong with
 * them or what became of each session.
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/control.h"
#include "client/session_table.h"
#include "daemon/policy/command_line.h"

#define CELL_SIZE 1024

static const char usage[] =
	"Usage: usher reload [OPTION]...\n"
	"Has usherd load its configuration and all policies anew. With a mistake in any of them\n"
	"nothing changes. New sessions get the new ones, and running sessions whose policy says\n"
	"'follow = yes'; one that cannot go on under what its policy says now is told.\n"
	"\n"
	"  -q, --quiet           only tell what is wrong\n" CONTROL_USAGE;

struct reload_options {
	struct control_options control;
	bool quiet;
};

static int parse_options(struct reload_options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"quiet", no_argument, NULL, 'q'}, CONTROL_OPTIONS, {NULL, 0, NULL, 0}};

	for (int option;
		(option = command_line_next(argc, argv, ":q" CONTROL_LETTERS, known)) != -1;) {
		if (option == 'q') {
			options->quiet = true;
		} else if (!control_option(&options->control, option, usage)) {
			return -EINVAL;
		}
	}
	return command_line_end(argv[0], argv + optind);
}

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

static void print_text(FILE *out, const char *before, struct json_object *text)
{
	char cell[CELL_SIZE];

	if (text) {
		session_table_text(cell, sizeof(cell), json_object_get_string(text));
		(void)fprintf(out, "%s%s", before, cell);
	}
}

static void print_mistakes(struct json_object *mistakes)
{
	for (size_t i = 0; i < json_object_array_length(mistakes); i++) {
		struct json_object *one = json_object_array_get_idx(mistakes, i);
		print_text(stderr, "", member(one, "file"));
		if (json_object_get_int(member(one, "line")) > 0) {
			(void)fprintf(stderr, ":%d:%d", json_object_get_int(member(one, "line")),
				json_object_get_int(member(one, "column")));
		}
		print_text(stderr, ": error: ", member(one, "text"));
		(void)fputc('\n', stderr);
	}
}

/* One that was refused is told also to who wants to hear little. */
static void print_sessions(struct json_object *sessions, bool quiet)
{
	for (size_t i = 0; i < json_object_array_length(sessions); i++) {
		struct json_object *one = json_object_array_get_idx(sessions, i);
		const char *outcome = json_object_get_string(member(one, "outcome"));
		bool refused = outcome && strcmp(outcome, "refused") == 0;
		if (quiet && !refused) {
			continue;
		}
		FILE *out = refused ? stderr : stdout;
		(void)fprintf(
			out, "session %" PRIu64, json_object_get_uint64(member(one, "session")));
		print_text(out, ": ", member(one, "policy"));
		print_text(out, ": ", member(one, "outcome"));
		print_text(out, ": ", member(one, "reason"));
		(void)fputc('\n', out);
	}
}

static int show(const struct reload_options *options, struct json_object *answer)
{
	bool done = json_object_get_boolean(member(answer, "done"));
	struct json_object *mistakes = member(answer, "mistakes");
	struct json_object *sessions = member(answer, "sessions");

	if (options->control.json) {
		return control_print(answer) == 0 && done ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	if (mistakes) {
		print_mistakes(mistakes);
	}
	if (!done) {
		(void)fprintf(stderr, "usher: nothing was reloaded: what was in force stays so\n");
		return EXIT_FAILURE;
	}
	if (sessions) {
		print_sessions(sessions, options->quiet);
	}
	if (!options->quiet) {
		(void)printf("reloaded, with %" PRIu64 " policies\n",
			json_object_get_uint64(member(answer, "policies")));
	}
	return EXIT_SUCCESS;
}

int command_reload(int argc, char **argv)
{
	struct reload_options options = {.quiet = false};
	struct json_object *answer = NULL;

	if (parse_options(&options, argc, argv) < 0) {
		return command_line_wrong(argv[0]);
	}
	if (control_exchange(&options.control, control_request("reload"), &answer) < 0) {
		return EXIT_FAILURE;
	}
	int status = show(&options, answer);
	json_object_put(answer);
	return status;
}
