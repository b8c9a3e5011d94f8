/* SPDX-License-Identifier: Apache-2.0 */
#include "client/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/given.h"
#include "client/rendezvous.h"
#include "daemon/base/cleanup.h"
#include "daemon/policy/command_line.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/words.h"

#define DEFAULT_POLICY "default"

static const char help[] =
	"Usage: usher run [OPTION...] [--] COMMAND [ARG...]\n"
	"\n"
	"Runs COMMAND under a policy: every open, socket and connect of it and of all that it\n"
	"starts is decided by the policy's rules.\n"
	"\n"
	"  -p, --policy NAME|FILE   the policy (default: 'default'); a FILE has a slash in it\n"
	"  -s, --set NAME=VALUE     a variable for the policy's ${NAME}\n"
	"      --daemon             by usherd; fails if it is not there\n"
	"      --embedded           without usherd\n"
	"                           (default: by usherd if it is there and the policy is a NAME)\n"
	"      --net=host|broker|none\n"
	"                           the program's network: the machine's; an empty one, out of "
	"which\n"
	"                           the connections lead that rules allow; an empty one. It can "
	"be\n"
	"                           narrower than the policy's `net`, never wider\n"
	"  -l, --log FILE           denials, injections and audited decisions as JSON lines; '-' "
	"is\n"
	"                           standard error\n"
	"  -v, --verbose            every decision in a line on standard error\n"
	"  -h, --help               print this\n"
	"\n"
	"The exit status is COMMAND's; 127 if it is not there, 126 if it cannot be executed, 125 "
	"if\n"
	"usher itself fails. A COMMAND that dies of a signal takes usher with it.\n";

enum long_option {
	OPTION_DAEMON = 256,
	OPTION_EMBEDDED,
	OPTION_NET,
};

static const struct option known_options[] = {
	{"policy", required_argument, NULL, 'p'},
	{"set", required_argument, NULL, 's'},
	{"daemon", no_argument, NULL, OPTION_DAEMON},
	{"embedded", no_argument, NULL, OPTION_EMBEDDED},
	{"net", required_argument, NULL, OPTION_NET},
	{"log", required_argument, NULL, 'l'},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int take_network(struct run_options *options, const char *name)
{
	long network;
	int result = command_line_word("net", name, &network_words, &network);

	if (result == 0) {
		options->network = (enum wire_network)network;
	}
	return result;
}

static int take_option(struct run_options *options, int option)
{
	switch (option) {
	case 'p':
		options->policy = optarg;
		return 0;
	case 's':
		return sets_add(&options->sets, optarg);
	case OPTION_DAEMON:
		options->mode = RUN_DAEMON;
		return 0;
	case OPTION_EMBEDDED:
		options->mode = RUN_EMBEDDED;
		return 0;
	case OPTION_NET:
		return take_network(options, optarg);
	case 'l':
		options->log = optarg;
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	default:
		return -EINVAL;
	}
}

/* 0, 1 if help was asked for, or a negative errno, told. */
static int parse_options(struct run_options *options, int argc, char **argv)
{
	int option;

	/* "+": what follows the command's name is the command's. */
	while ((option = command_line_next(argc, argv, "+:p:s:l:vh", known_options)) != -1) {
		if (option == 'h') {
			return 1;
		}
		if (take_option(options, option) < 0) {
			return -EINVAL;
		}
	}
	if (optind == argc) {
		(void)fputs("usher: no command to run; 'usher run --help' tells how\n", stderr);
		return -EINVAL;
	}
	options->command = argv + optind;
	return 0;
}

int run_program(char **command)
{
	execvp(command[0], command);
	int error = errno;
	(void)dprintf(STDERR_FILENO, "usher: %s: %s\n", command[0], strerror(error));
	return error == ENOENT ? EXIT_MISSING : EXIT_CANNOT;
}

static int open_log(const char *name)
{
	if (strcmp(name, "-") == 0) {
		return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	}
	return open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
}

static int open_logs(const struct run_options *options, struct handover_hello *hello)
{
	if (options->log) {
		hello->log_fd = open_log(options->log);
		if (hello->log_fd < 0) {
			(void)fprintf(stderr, "usher: the log '%s' cannot be opened: %s\n",
				options->log, strerror(errno));
			return -errno;
		}
	}
	if (options->verbose) {
		hello->verbose_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
		if (hello->verbose_fd < 0) {
			return -errno;
		}
	}
	return 0;
}

/* The command in one line, for `usher status`. */
static char *command_line(char **command)
{
	char *line = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&line, &size);

	if (!stream) {
		return NULL;
	}
	for (char **word = command; *word && size < 1024; word++) {
		(void)fprintf(stream, "%s%.512s", word == command ? "" : " ", *word);
		(void)fflush(stream);
	}
	return fclose(stream) == 0 ? line : NULL;
}

static int daemon_run(struct rendezvous *rendezvous, const struct run_options *options,
	const struct handover_hello *hello)
{
	struct handover_failure failure = {.text = ""};
	int error = handover(rendezvous, hello, &failure);

	rendezvous_finish(rendezvous);
	if (error < 0) {
		(void)fprintf(stderr, "usher: %s\n", failure.text);
		return EXIT_RUN;
	}
	return run_program(options->command);
}

static int choose_and_run(const struct run_options *options, const struct handover_hello *hello)
{
	bool is_name = !strchr(options->policy, '/');

	if (options->mode == RUN_DAEMON && !is_name) {
		(void)fprintf(stderr,
			"usher: usherd serves policies by name, '%s' is a file; use --embedded\n",
			options->policy);
		return EXIT_RUN;
	}
	if (options->mode != RUN_EMBEDDED && is_name) {
		struct rendezvous rendezvous;
		int error = rendezvous_with_daemon(&rendezvous);
		if (error == 0) {
			return daemon_run(&rendezvous, options, hello);
		}
		if (options->mode == RUN_DAEMON) {
			(void)fprintf(stderr,
				"usher: usherd does not answer: %s; start it, or use --embedded\n",
				strerror(-error));
			return EXIT_RUN;
		}
	}
	return embedded_run(options, hello);
}

int command_run(int argc, char **argv)
{
	struct run_options options = {.policy = DEFAULT_POLICY};
	int parsed = parse_options(&options, argc, argv);

	if (parsed == 1) {
		(void)fputs(help, stdout);
		return EXIT_SUCCESS;
	}
	if (parsed < 0) {
		return EXIT_RUN;
	}
	cleanup_free char *line = command_line(options.command);
	struct handover_hello hello = {.policy = options.policy,
		.command = line ? line : "",
		.sets = options.sets.items,
		.set_count = options.sets.count,
		.network = options.network,
		.log_fd = -1,
		.verbose_fd = -1,
		.passed = given_passed()};
	if (open_logs(&options, &hello) < 0) {
		return EXIT_RUN;
	}
	return choose_and_run(&options, &hello);
}
