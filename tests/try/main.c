/* SPDX-License-Identifier: Apache-2.0 */
/*
 * try: makes one system call, raw, and tells what came of it: its result or errno and, of a
 * descriptor, fstat, F_GETFL and F_GETFD. Exit status 0 if the call succeeded, 1 if it failed, 2
 * if it was not understood.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/common/observe.h"
#include "tests/common/raw.h"
#include "tests/try/calls.h"

struct options {
	bool show_content;
	char **words; /* the call and its arguments */
	int word_count;
};

static void usage(FILE *out)
{
	fprintf(out, "usage: try [-c] [-u UMASK] [-C DIRECTORY] CALL ARGUMENT...\n"
		     "  -c  also print what can be read from the descriptor\n"
		     "Flags are written as names or numbers: O_RDWR|O_CREAT, rdwr|creat, 0102.\n");
	if (out == stdout) {
		call_list();
	}
}

/* 0, or the exit status. */
static int options_parse(struct options *options, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+cu:C:h")) != -1) {
		if (option == 'c') {
			options->show_content = true;
		} else if (option == 'u') {
			umask((mode_t)strtoul(optarg, NULL, 8));
		} else if (option == 'C') {
			if (chdir(optarg)) {
				fprintf(stderr, "try: %s: %m\n", optarg);
				return 2;
			}
		} else {
			usage(option == 'h' ? stdout : stderr);
			exit(option == 'h' ? 0 : 2);
		}
	}
	options->words = argv + optind;
	options->word_count = argc - optind;
	return 0;
}

static void show_fd(long fd)
{
	char text[256];
	struct observation observation = {text, sizeof(text), 0};

	observe_fd(&observation, fd);
	printf("%s\n", text);
}

static void show_content(int fd)
{
	char data[4096];
	ssize_t got;

	while ((got = read(fd, data, sizeof(data))) > 0) {
		fwrite(data, 1, (size_t)got, stdout);
	}
	if (got < 0) {
		printf("read: %s\n", observe_errno(errno));
	}
}

static void show(const struct call *call, const struct options *options, long result, int pair[2])
{
	printf("%s ", call->name);
	if (result < 0 || call->result == CALL_STATUS) {
		char text[64];
		struct observation observation = {text, sizeof(text), 0};

		observe_result(&observation, result);
		printf("%s\n", text);
		return;
	}
	show_fd(call->result == CALL_PAIR ? pair[0] : result);
	if (call->result == CALL_PAIR) {
		printf("%s ", call->name);
		show_fd(pair[1]);
	}
	if (options->show_content) {
		show_content((int)result);
	}
}

int main(int argc, char **argv)
{
	struct options options = {0};
	const struct call *call;
	int pair[2] = {-1, -1};
	long result;
	int status = options_parse(&options, argc, argv);

	if (status) {
		return status;
	}
	call = options.word_count ? call_find(options.words[0]) : NULL;
	if (!call) {
		usage(stderr);
		return 2;
	}
	if (call_make(call, options.word_count - 1, options.words + 1, &result, pair)) {
		fprintf(stderr, "usage: try %s %s\n", call->name, call->usage);
		return 2;
	}
	show(call, &options, result, pair);
	return result < 0;
}
