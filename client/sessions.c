/* SPDX-License-Identifier: Apache-2.0 */
/* `usher sessions`: lists the daemon's sessions, and ends them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/commands.h"
#include "client/control.h"
#include "client/session_table.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"
#include "daemon/policy/command_line.h"
#include "daemon/policy/words.h"

#define GRACE_SECONDS 5u
#define GRACE_MAX     600u
/* How long after the grace what was killed may take to be gone. */
#define KILLED_SECONDS 10u
#define LOOK_NS        20000000L

static const char usage[] =
	"Usage: usher sessions [OPTION]... [list]\n"
	"       usher sessions [OPTION]... end SESSION...\n"
	"Lists the sessions of usherd, or ends some: your own, or as root any. Their programs get\n"
	"SIGTERM, and SIGKILL if they have not ended after a while.\n"
	"\n"
	"  -p, --policy NAME     list those under this policy\n"
	"      --grace N         seconds between the two signals, 0 to 600 (5)\n"
	"      --no-wait         do not wait for their end\n" CONTROL_USAGE;

struct sessions_options {
	struct control_options control;
	const char *policy;
	unsigned int grace;
	bool no_wait;
};

static int parse_options(struct sessions_options *options, int argc, char **argv)
{
	static const struct option known[] = {{"policy", required_argument, NULL, 'p'},
		{"grace", required_argument, NULL, 'g'}, {"no-wait", no_argument, NULL, 'n'},
		CONTROL_OPTIONS, {NULL, 0, NULL, 0}};
	uint64_t number;

	for (int option;
		(option = command_line_next(argc, argv, ":p:" CONTROL_LETTERS, known)) != -1;) {
		if (option == 'p') {
			options->policy = optarg;
		} else if (option == 'n') {
			options->no_wait = true;
		} else if (option == 'g') {
			if (command_line_number("grace", optarg, 0, GRACE_MAX, &number) < 0) {
				return -EINVAL;
			}
			options->grace = (unsigned int)number;
		} else if (!control_option(&options->control, option, usage)) {
			return -EINVAL;
		}
	}
	return 0;
}

static int list(const struct sessions_options *options)
{
	struct json_object *request = control_request("sessions");
	struct json_object *answer = NULL, *sessions = NULL;

	if (options->policy) {
		json_add(request, "policy", json_object_new_string(options->policy));
	}
	if (control_exchange(&options->control, request, &answer) < 0) {
		return EXIT_FAILURE;
	}
	int status = EXIT_SUCCESS;
	if (options->control.json) {
		status = control_print(answer) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	} else if (json_object_object_get_ex(answer, "sessions", &sessions)) {
		session_table_print(sessions);
	}
	json_object_put(answer);
	return status;
}

/* 1 if the session is there, 0 if not, or a negative errno, told. */
static int is_there(struct control *control, uint64_t session)
{
	struct json_object *request = control_request("sessions");
	struct json_object *answer = NULL, *sessions = NULL;

	json_add(request, "session", json_object_new_uint64(session));
	int result = control_ask(control, request, &answer);
	if (result == 0 && json_object_object_get_ex(answer, "sessions", &sessions)) {
		result = json_object_array_length(sessions) > 0;
	}
	json_object_put(answer);
	return result;
}

static int wait_for_end(struct control *control, uint64_t session, unsigned int grace)
{
	time_t deadline = time(NULL) + (time_t)(grace + KILLED_SECONDS);
	int result;

	while ((result = is_there(control, session)) > 0 && time(NULL) < deadline) {
		nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
	}
	if (result > 0) {
		(void)fprintf(stderr,
			"usher: session %" PRIu64 " has processes that have left its tree and "
			"cannot be found; they end with their next call that is asked about\n",
			session);
	}
	return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int end(const struct sessions_options *options, struct control *control, const char *number)
{
	struct json_object *request = control_request("end");
	struct json_object *answer = NULL;
	uint64_t session;

	if (!command_line_is_number(number, &session)) {
		(void)fprintf(stderr,
			"usher: '%s' is not the number of a session; 'usher sessions' lists them\n",
			number);
		json_object_put(request);
		return EXIT_USAGE;
	}
	json_add(request, "session", json_object_new_uint64(session));
	json_add(request, "grace", json_object_new_int((int)options->grace));
	if (control_ask(control, request, &answer) < 0) {
		return EXIT_FAILURE;
	}
	bool is_told = !options->control.json || control_print(answer) == 0;
	json_object_put(answer);
	if (!is_told) {
		return EXIT_FAILURE;
	}
	return options->no_wait ? EXIT_SUCCESS : wait_for_end(control, session, options->grace);
}

static int end_all(const struct sessions_options *options, char **numbers)
{
	struct control control;
	int status = EXIT_SUCCESS;

	if (control_open(&control, &options->control) < 0) {
		return EXIT_FAILURE;
	}
	for (; *numbers; numbers++) {
		int result = end(options, &control, *numbers);
		status = result != EXIT_SUCCESS ? result : status;
	}
	control_close(&control);
	return status;
}

/* What is asked for by the words behind the options: 0, or -EINVAL, told. */
static int check_words(char **words)
{
	struct nearest nearest = {.word = words[0]};
	char hint[NEAREST_HINT_MAX];

	if (!words[0] || strcmp(words[0], "list") == 0) {
		return words[0] ? command_line_end("usher sessions list", words + 1) : 0;
	}
	if (strcmp(words[0], "end") == 0) {
		if (!words[1]) {
			(void)fputs(
				"usher sessions end: which? 'usher sessions' lists them\n", stderr);
		}
		return words[1] ? 0 : -EINVAL;
	}
	nearest.length = strlen(words[0]);
	nearest_offer(&nearest, "list");
	nearest_offer(&nearest, "end");
	(void)fprintf(stderr, "usher sessions: '%s': it must be list or end%s\n", words[0],
		nearest_hint(&nearest, hint, sizeof(hint)));
	return -EINVAL;
}

int command_sessions(int argc, char **argv)
{
	struct sessions_options options = {.grace = GRACE_SECONDS};

	if (parse_options(&options, argc, argv) < 0 || check_words(argv + optind) < 0) {
		return command_line_wrong(argv[0]);
	}
	bool ends = argv[optind] && strcmp(argv[optind], "end") == 0;
	return ends ? end_all(&options, argv + optind + 1) : list(&options);
}
