/* SPDX-License-Identifier: Apache-2.0 */
/* usher: the command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "daemon/base/cleanup.h"
#include "daemon/policy/command_line.h"
#include "daemon/policy/words.h"
#include "paths.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{"run", command_run, "run a program under a policy"},
	{"check", command_check, "check policy files"},
	{"explain", command_explain, "tell what a policy answers, and by which rule"},
	{"doctor", command_doctor, "tell what this machine can do"},
	{"status", command_status, "tell what the daemon does"},
	{"sessions", command_sessions, "list the daemon's sessions, and end them"},
	{"monitor", command_monitor, "show decisions as they are made"},
	{"top", command_top, "show sessions, rates and denials on the whole terminal"},
	{"reload", command_reload, "have the daemon load configuration and policies anew"},
	{"stop", command_stop, "stop the daemon"},
	{"metrics", command_metrics, "print the daemon's metrics"},
};

static void print_help(FILE *out)
{
	(void)fputs(
		"Usage: usher COMMAND [OPTION...]\n\n"
		"A broker for what programs ask of the kernel: files, sockets, connections.\n\n",
		out);
	for (size_t i = 0; i < array_length(commands); i++) {
		(void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	}
	(void)fputs("\n'usher COMMAND --help' tells more of each; 'usher --version' the version.\n",
		out);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < array_length(commands); i++) {
		if (strcmp(name, commands[i].name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

/* With the name in front of it complaints about the options begin. */
static int run(const struct command *command, int argc, char **argv)
{
	static char title[32];

	(void)snprintf(title, sizeof(title), "usher %s", command->name);
	argv[0] = title;
	return command->run(argc, argv);
}

static void complain_of(const char *name)
{
	struct nearest nearest = NEAREST_TO(name, strlen(name));
	char hint[NEAREST_HINT_MAX];

	for (size_t i = 0; i < array_length(commands); i++) {
		nearest_offer(&nearest, commands[i].name);
	}
	(void)fprintf(stderr, "usher: '%s' is not a command%s\n", name,
		nearest_hint(&nearest, hint, sizeof(hint)));
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct command *command = find(name);

	if (command) {
		return run(command, argc - 1, argv + 1);
	}
	if (strcmp(name, "help") == 0 && argc > 2 && (command = find(argv[2]))) {
		return run(command, 2, (char *[]){argv[2], "--help", NULL});
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		print_help(stdout);
		return EXIT_SUCCESS;
	}
	if (strcmp(name, "--version") == 0) {
		(void)puts("usher " USHER_VERSION);
		return EXIT_SUCCESS;
	}
	if (!name[0]) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	complain_of(name);
	return command_line_wrong("usher");
}
