/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `usher top`: the daemon's sessions, busiest first, and what is denied most, on a whole terminal.
 * Two connections: one is asked now and then, the other tells of denials as they happen. A program
 * of its own (top_start.c), with what it alone needs of libraries.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/control.h"
#include "client/top_model.h"
#include "client/top_screen.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"
#include "daemon/policy/command_line.h"

#define DELAY_LEAST 0.1
#define DELAY_MOST  60.0

static const char usage[] =
	"Usage: usher top [OPTION]...\n"
	"Shows the sessions of usherd on the whole terminal: how many answers each gets a second,\n"
	"how long they take, and what is denied most. With --json: one look, and no terminal.\n"
	"Keys: q quits, s sorts by rate, denied, delay, age or session, p pauses.\n"
	"\n"
	"  -d, --delay N         seconds between two looks, 0.1 to 60 (1)\n" CONTROL_USAGE;

struct top {
	struct control_options options;
	double delay;
	struct control asked, told;
	struct top_model model;
	struct timespec looked;
	bool paused, quits;
};

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

static int parse_options(struct top *top, int argc, char **argv)
{
	static const struct option known[] = {
		{"delay", required_argument, NULL, 'd'}, CONTROL_OPTIONS, {NULL, 0, NULL, 0}};

	for (int option;
		(option = command_line_next(argc, argv, ":d:" CONTROL_LETTERS, known)) != -1;) {
		if (option == 'd' ? command_line_decimal("delay", optarg, DELAY_LEAST, DELAY_MOST,
					    &top->delay) < 0
				  : !control_option(&top->options, option, usage)) {
			return -EINVAL;
		}
	}
	return command_line_end(argv[0], argv + optind);
}

static double seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

/* 0 or a negative errno. What it says of the daemon is told when the terminal is ours no more. */
static int look(struct top *top)
{
	struct json_object *status = NULL;
	double seconds = seconds_since(&top->looked);
	int result = control_ask_quietly(&top->asked, control_request("status"), &status);

	if (result == 0) {
		clock_gettime(CLOCK_MONOTONIC, &top->looked);
		result = top_model_look(&top->model, status, seconds);
	}
	json_object_put(status);
	return result;
}

/* All that was told meanwhile. */
static int listen_on(struct top *top)
{
	struct json_object *event = NULL;
	int result;

	while ((result = control_next(&top->told, false, &event)) == 0) {
		top_model_event(&top->model, event);
		json_object_put(event);
	}
	return result == -EAGAIN ? 0 : result;
}

static void take_keys(struct top *top)
{
	for (enum top_key key; (key = top_screen_key()) != TOP_KEY_NONE;) {
		top->quits |= key == TOP_KEY_QUIT;
		top->paused ^= key == TOP_KEY_PAUSE;
		if (key == TOP_KEY_SORT) {
			top->model.order = (top->model.order + 1) % TOP_ORDERS;
		}
	}
}

/* Until a key, an event, a signal, or the time for the next look. */
static void wait_a_moment(const struct top *top)
{
	struct pollfd polled[] = {
		{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = top->told.fd, .events = POLLIN}};
	double left = top->delay - seconds_since(&top->looked);
	int milliseconds = left > 0 ? (int)(left * 1000) + 1 : 0;

	(void)poll(polled, array_length(polled), top->paused ? -1 : milliseconds);
}

static int show(struct top *top)
{
	int result = 0;

	while (result == 0 && !top->quits && !caught) {
		if (!top->paused && seconds_since(&top->looked) >= top->delay) {
			result = look(top);
		}
		if (result == 0) {
			result = listen_on(top);
		}
		take_keys(top);
		top_model_sort(&top->model);
		top_screen_draw(&top->model, top->paused);
		if (result == 0 && !top->quits && !caught) {
			wait_a_moment(top);
		}
	}
	return result;
}

static int subscribe(struct top *top)
{
	struct json_object *request = control_request("monitor");
	struct json_object *verdicts = json_object_new_array();
	struct json_object *answer = NULL;

	json_append(verdicts, json_object_new_string("deny"));
	json_add(request, "verdicts", verdicts);
	int result = control_ask(&top->told, request, &answer);
	json_object_put(answer);
	return result;
}

static void catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < array_length(numbers); i++) {
		sigaction(numbers[i], &action, NULL);
	}
}

/* The terminal is given back before anything is said, and before a signal ends us. */
static int run(struct top *top)
{
	int result = top_screen_open();

	if (result < 0) {
		(void)fprintf(stderr, "usher: top needs a terminal%s; see 'usher status'\n",
			result == -EINVAL ? " that TERM names and whose cursor can be moved" : "");
		return EXIT_FAILURE;
	}
	catch_signals();
	result = show(top);
	top_screen_close();
	if (caught) {
		(void)signal(caught, SIG_DFL);
		(void)raise(caught);
	}
	if (result < 0) {
		(void)fprintf(
			stderr, "usher: usherd has ended the connection: %s\n", strerror(-result));
	}
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int print_once(const struct top *top)
{
	struct json_object *answer = NULL;

	if (control_exchange(&top->options, control_request("status"), &answer) < 0) {
		return EXIT_FAILURE;
	}
	int result = control_print(answer);
	json_object_put(answer);
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct top top = {.delay = 1, .asked = {.fd = -1}, .told = {.fd = -1}};
	int status = EXIT_FAILURE;

	if (parse_options(&top, argc, argv) < 0) {
		return command_line_wrong(argv[0]);
	}
	if (top.options.json) {
		return print_once(&top);
	}
	if (control_open(&top.asked, &top.options) == 0 &&
		control_open(&top.told, &top.options) == 0 && subscribe(&top) == 0) {
		status = run(&top);
	}
	control_close(&top.asked);
	control_close(&top.told);
	top_model_finish(&top.model);
	return status;
}
