/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `usher metrics`: the daemon's metrics in Prometheus' text format; into a file for a collector of
 * text files, who shall never see half of it.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/commands.h"
#include "client/control.h"
#include "daemon/base/cleanup.h"
#include "daemon/policy/command_line.h"

static const char usage[] =
	"Usage: usher metrics [OPTION]...\n"
	"Prints the metrics of usherd in Prometheus' text format: as root of all, else of your "
	"own\n"
	"sessions.\n"
	"\n"
	"  -o, --output FILE     write to FILE, which is replaced as a whole\n" CONTROL_USAGE;

struct metrics_options {
	struct control_options control;
	const char *output;
};

static int parse_options(struct metrics_options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"output", required_argument, NULL, 'o'}, CONTROL_OPTIONS, {NULL, 0, NULL, 0}};

	for (int option;
		(option = command_line_next(argc, argv, ":o:" CONTROL_LETTERS, known)) != -1;) {
		if (option == 'o') {
			options->output = optarg;
		} else if (!control_option(&options->control, option, usage)) {
			return -EINVAL;
		}
	}
	return command_line_end(argv[0], argv + optind);
}

static int write_text(const char *path, const char *text)
{
	cleanup_file FILE *file = fopen(path, "we");

	if (!file || fputs(text, file) < 0 || fflush(file) != 0) {
		return -errno;
	}
	return fchmod(fileno(file), 0644) < 0 ? -errno : 0;
}

static int replace(const char *path, const char *text)
{
	cleanup_free char *new_path = NULL;

	if (asprintf(&new_path, "%s.new", path) < 0) {
		new_path = NULL;
		return -ENOMEM;
	}
	int result = write_text(new_path, text);
	if (result == 0) {
		result = rename(new_path, path) < 0 ? -errno : 0;
	}
	if (result < 0) {
		(void)remove(new_path);
	}
	return result;
}

static int show(const struct metrics_options *options, struct json_object *answer)
{
	struct json_object *text = NULL;

	if (options->control.json) {
		return control_print(answer) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	json_object_object_get_ex(answer, "metrics", &text);
	if (!options->output) {
		(void)fputs(text ? json_object_get_string(text) : "", stdout);
		return EXIT_SUCCESS;
	}
	int result = text ? replace(options->output, json_object_get_string(text)) : -EBADMSG;
	if (result < 0) {
		(void)fprintf(stderr, "usher: %s cannot be written: %s\n", options->output,
			strerror(-result));
	}
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int command_metrics(int argc, char **argv)
{
	struct metrics_options options = {.output = NULL};
	struct json_object *answer = NULL;

	if (parse_options(&options, argc, argv) < 0) {
		return command_line_wrong(argv[0]);
	}
	if (control_exchange(&options.control, control_request("metrics"), &answer) < 0) {
		return EXIT_FAILURE;
	}
	int status = show(&options, answer);
	json_object_put(answer);
	return status;
}
