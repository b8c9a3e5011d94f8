/* SPDX-License-Identifier: Apache-2.0 */
/* usherd: reads its options and hands over to daemon.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/holder.h"
#include "daemon/inheritance.h"
#include "daemon/policy/command_line.h"
#include "daemon/service.h"
#include "paths.h"

static const char usage[] =
	"Usage: usherd [OPTION]...\n"
	"Serves `usher run --daemon`: as root for all users, as a user for oneself.\n"
	"\n"
	"  -c, --config FILE  read FILE instead of the usual usherd.ini\n"
	"  -s, --socket PATH  listen there, whatever the configuration says\n"
	"      --check        only check the configuration\n"
	"      --foreground   stay in the foreground, as usherd always does\n"
	"      --no-holder    one process: where usherd dies, nobody starts it again\n"
	"      --version      print the version\n"
	"      --help         print this\n"
	"\n"
	"Without systemd usherd is two processes: one serves, the other holds what it needs and\n"
	"starts it again if it is killed. SIGHUP reads configuration and policies again, for new\n"
	"sessions and those that follow their policy; SIGTERM ends usherd and leaves its sessions\n"
	"to their brokers, and to the next usherd where systemd starts it again.\n";

enum option_value {
	OPTION_CHECK = 256,
	OPTION_FOREGROUND,
	OPTION_NO_HOLDER,
	OPTION_VERSION,
	OPTION_HELP
};

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'},
	{"socket", required_argument, NULL, 's'},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"foreground", no_argument, NULL, OPTION_FOREGROUND},
	{"no-holder", no_argument, NULL, OPTION_NO_HOLDER},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static int print_version(void)
{
	puts("usherd " USHER_VERSION);
	return EXIT_SUCCESS;
}

static int print_usage(void)
{
	fputs(usage, stdout);
	return EXIT_SUCCESS;
}

/* Somebody has to survive us: systemd does, and otherwise this process, which runs us as a child.
 */
static int run(char **argv, struct daemon_options *daemon_options)
{
	struct inheritance inheritance;

	if (inheritance_take(&inheritance) < 0) {
		fputs("usherd: out of memory\n", stderr);
		return EXIT_FAILURE;
	}
	daemon_options->holder = inheritance_claim(&inheritance, HOLDER_NAME);
	int status =
		daemon_options->has_holder && daemon_options->holder < 0 && !service_is_systemd()
			? holder_run(argv, &inheritance)
			: daemon_run(daemon_options, &inheritance);
	inheritance_finish(&inheritance);
	return status;
}

int main(int argc, char **argv)
{
	struct daemon_options daemon_options = {.argv = argv, .has_holder = true};
	bool only_check = false;

	/* Only usherd itself says so, and before all that it was told itself. */
	if (argc > 1 && strcmp(argv[1], HOLDER_OPTION) == 0) {
		argv[1] = argv[0];
		return holder_resume(argv + 1);
	}
	for (int option; (option = command_line_next(argc, argv, ":c:s:", options)) != -1;) {
		switch (option) {
		case 'c':
			daemon_options.config = optarg;
			break;
		case 's':
			daemon_options.socket = optarg;
			break;
		case OPTION_CHECK:
			only_check = true;
			break;
		case OPTION_FOREGROUND:
			break;
		case OPTION_NO_HOLDER:
			daemon_options.has_holder = false;
			break;
		case OPTION_VERSION:
			return print_version();
		case OPTION_HELP:
			return print_usage();
		default:
			return command_line_wrong("usherd");
		}
	}
	if (command_line_end("usherd", argv + optind) < 0) {
		return command_line_wrong("usherd");
	}
	return only_check ? daemon_check(&daemon_options) : run(argv, &daemon_options);
}
