/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon's control socket (usher-control(7)) as the commands use it: connected to, greeted,
 * asked. What went wrong is told on standard error in the same words by all of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CONTROL_VERSION 1

struct json_object;

/* The options that all of them have. */
struct control_options {
	const char *socket; /* NULL: those that are looked for, see install_socket_path() */
	bool only_user, only_system;
	bool json;
};

/* For command_line_next(): the rows, and the letters that control_option() takes. */
#define CONTROL_OPTIONS                                                               \
	{"json", no_argument, NULL, 'j'}, {"socket", required_argument, NULL, 's'},   \
		{"user", no_argument, NULL, 'U'}, {"system", no_argument, NULL, 'S'}, \
	{                                                                             \
		"help", no_argument, NULL, 'h'                                        \
	}
#define CONTROL_LETTERS "js:" /* others first, and a colon before all */
#define CONTROL_USAGE                                               \
	"  -j, --json            print what usherd says as JSON\n"  \
	"  -s, --socket PATH     ask the usherd that serves PATH\n" \
	"      --user            ask only your own usherd, ...\n"   \
	"      --system          ... or only the system's\n"        \
	"      --help            print this\n"

/* False if the option is none of these. `h` prints `usage` and ends the program. */
bool control_option(struct control_options *options, int option, const char *usage);

struct control {
	int fd;
	char *line;                   /* what was read */
	size_t length, taken, room;   /* bytes of it; those that were the last line's */
	struct json_object *greeting; /* "sees": "own" or "all" */
};

/* 0 or a negative errno, told. */
int control_open(struct control *control, const struct control_options *options);
void control_close(struct control *control);

/*
 * The next line, whatever it is, as long as it takes if `waits`. 0 or a negative errno, not told:
 * -ECONNRESET at the end, -EAGAIN if there is none yet, -EBADMSG: not JSON; and a shortage.
 */
int control_next(struct control *control, bool waits, struct json_object **objectp);

/* Consumes `request`. 0, or a negative errno when it could not be made or was refused: told. */
int control_ask(struct control *control, struct json_object *request, struct json_object **answerp);

/* As control_ask(), but nothing is told; -EPERM: refused. */
int control_ask_quietly(
	struct control *control, struct json_object *request, struct json_object **answerp);

/* {"request": name}, to which more is added by json_add(); NULL is what memory lacked for. */
struct json_object *control_request(const char *name);

/* Opens, asks and closes: consumes `request`. 0 or a negative errno, told. */
int control_exchange(const struct control_options *options, struct json_object *request,
	struct json_object **answerp);

/* Prints it as one line. 0, or -ENOMEM, told. */
int control_print(struct json_object *object);

/* Tells what a line {"error": ...} says. */
void control_complain_of(struct json_object *error);
