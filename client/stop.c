/* SPDX-License-Identifier: Apache-2.0 */
/* `usher stop`: stops the daemon, and says what becomes of its sessions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/control.h"
#include "daemon/base/json.h"
#include "daemon/policy/command_line.h"

#define GRACE_MAX 600
#define REFUSE    "refuse" /* where there are sessions */

static const char usage[] =
	"Usage: usher stop [OPTION]...\n"
	"Stops usherd, but not while it has sessions, unless one of these says what becomes of\n"
	"them. It serves nobody new meanwhile; if you interrupt the wait it goes on as before.\n"
	"\n"
	"  -w, --wait            wait until all have ended by themselves\n"
	"  -e, --end             end them: SIGTERM, and SIGKILL after a while\n"
	"      --grace N         seconds between the two signals, 0 to 600 (5)\n" CONTROL_USAGE;

struct stop_options {
	struct control_options control;
	const char *sessions;
	int grace; /* -1: usherd's own */
};

static int choose(struct stop_options *options, const char *sessions)
{
	bool is_other =
		strcmp(options->sessions, REFUSE) != 0 && strcmp(options->sessions, sessions) != 0;

	if (is_other) {
		(void)fputs("usher stop: --wait or --end, but not both\n", stderr);
		return -EINVAL;
	}
	options->sessions = sessions;
	return 0;
}

/* An option of our own. 0, or -EINVAL, told. */
static int take_option(struct stop_options *options, int option)
{
	uint64_t number;

	switch (option) {
	case 'w':
		return choose(options, "wait");
	case 'e':
		return choose(options, "end");
	case 'g':
		if (command_line_number("grace", optarg, 0, GRACE_MAX, &number) < 0) {
			return -EINVAL;
		}
		options->grace = (int)number;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse_options(struct stop_options *options, int argc, char **argv)
{
	static const struct option known[] = {{"wait", no_argument, NULL, 'w'},
		{"end", no_argument, NULL, 'e'}, {"grace", required_argument, NULL, 'g'},
		CONTROL_OPTIONS, {NULL, 0, NULL, 0}};

	for (int option;
		(option = command_line_next(argc, argv, ":we" CONTROL_LETTERS, known)) != -1;) {
		if (!control_option(&options->control, option, usage) &&
			take_option(options, option) < 0) {
			return -EINVAL;
		}
	}
	if (options->grace >= 0 && strcmp(options->sessions, "end") != 0) {
		(void)fputs("usher stop: --grace is for --end\n", stderr);
		return -EINVAL;
	}
	return command_line_end(argv[0], argv + optind);
}

int command_stop(int argc, char **argv)
{
	struct stop_options options = {.sessions = REFUSE, .grace = -1};
	struct json_object *answer = NULL;

	if (parse_options(&options, argc, argv) < 0) {
		return command_line_wrong(argv[0]);
	}
	struct json_object *request = control_request("stop");
	json_add(request, "sessions", json_object_new_string(options.sessions));
	if (options.grace >= 0) {
		json_add(request, "grace", json_object_new_int(options.grace));
	}
	if (strcmp(options.sessions, "wait") == 0 && isatty(STDERR_FILENO)) {
		(void)fputs("usher: waits until all sessions have ended\n", stderr);
	}
	if (control_exchange(&options.control, request, &answer) < 0) {
		return EXIT_FAILURE;
	}
	bool is_told = !options.control.json || control_print(answer) == 0;
	json_object_put(answer);
	return is_told ? EXIT_SUCCESS : EXIT_FAILURE;
}
