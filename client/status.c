/* SPDX-License-Identifier: Apache-2.0 */
/* `usher status`: the daemon in a line and its sessions as a table, or its answer as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/commands.h"
#include "client/control.h"
#include "client/session_table.h"
#include "daemon/base/json.h"
#include "daemon/policy/command_line.h"

static const char usage[] = "Usage: usher status [OPTION]...\n"
			    "Shows usherd and its sessions: your own, or as root all.\n"
			    "\n" CONTROL_USAGE;

static int parse_options(struct control_options *options, int argc, char **argv)
{
	static const struct option known[] = {CONTROL_OPTIONS, {NULL, 0, NULL, 0}};

	for (int option;
		(option = command_line_next(argc, argv, ":" CONTROL_LETTERS, known)) != -1;) {
		if (!control_option(options, option, usage)) {
			return -EINVAL;
		}
	}
	return command_line_end(argv[0], argv + optind);
}

static void print_daemon(struct json_object *daemon)
{
	uint64_t now = (uint64_t)time(NULL), started = json_number_of(daemon, "started");
	char age[32];

	session_table_age(age, sizeof(age), now > started ? now - started : 0);
	printf("usherd %s, pid %" PRIu64 ", for %s; sessions: %" PRIu64 " of %" PRIu64 "\n\n",
		json_text_of(daemon, "version"), json_number_of(daemon, "pid"), age,
		json_number_of(daemon, "sessions"), json_number_of(daemon, "sessions_limit"));
}

static void print_answer(struct json_object *answer)
{
	struct json_object *daemon = NULL, *sessions = NULL;

	if (json_object_object_get_ex(answer, "daemon", &daemon)) {
		print_daemon(daemon);
	}
	if (json_object_object_get_ex(answer, "sessions", &sessions)) {
		session_table_print(sessions);
	}
}

int command_status(int argc, char **argv)
{
	struct control_options options = {0};
	struct json_object *answer = NULL;

	if (parse_options(&options, argc, argv) < 0) {
		return command_line_wrong(argv[0]);
	}
	if (control_exchange(&options, control_request("status"), &answer) < 0) {
		return EXIT_FAILURE;
	}
	int status = EXIT_SUCCESS;
	if (options.json) {
		status = control_print(answer) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	} else {
		print_answer(answer);
	}
	json_object_put(answer);
	return status;
}
