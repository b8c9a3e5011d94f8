/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `usher status`: asks a daemon for its sessions, over its control socket, and shows them as a
 * table, or as the JSON that came. What clients say of themselves is in it, so nothing of it
 * reaches a terminal but printable characters.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/commands.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/control_path.h"
#include "daemon/base/install.h"

#define REQUEST         "{\"version\":1,\"request\":\"status\"}\n"
#define ANSWER_SIZE_MAX (64u * 1024u * 1024u)
#define ANSWER_SECONDS  10
#define CELL_SIZE       512

static const char usage[] = "Usage: usher status [OPTION]...\n"
			    "Shows the sessions of usherd: your own, or as root all.\n"
			    "\n"
			    "  -j, --json         print the daemon's answer as JSON\n"
			    "  -s, --socket PATH  ask the usherd that serves PATH\n"
			    "      --help         print this\n";

struct options {
	bool json;
	const char *socket;
};

/* Turns the member `key` of a session into text, CELL_SIZE bytes. */
typedef void formatter(char *cell, struct json_object *value);

static formatter format_text, format_age, format_number;

static const struct column {
	const char *title, *key;
	formatter *format;
	bool is_number;
} columns[] = {
	{"SESSION", "id", format_number, true},
	{"POLICY", "policy", format_text, false},
	{"USER", "user", format_text, false},
	{"PID", "pid", format_number, true},
	{"AGE", "age", format_age, true},
	{"STATE", "state", format_text, false},
	{"ALLOWED", "allowed", format_number, true},
	{"DENIED", "denied", format_number, true},
	{"INJECTED", "injected", format_number, true},
	{"COMMAND", "command", format_text, false},
};
#define COLUMNS array_length(columns)

static int connect_to(const char *socket_path, int *fdp)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = ANSWER_SECONDS};
	cleanup_free char *path = control_path(socket_path);
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!path || fd < 0) {
		return -ENOMEM;
	}
	if (strlen(path) >= sizeof(address.sun_path)) {
		return -ENAMETOOLONG;
	}
	strcpy(address.sun_path, path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		return -errno;
	}
	*fdp = steal_fd(&fd);
	return 0;
}

/* The first daemon that is there; the error is that of the last that is not. */
static int connect_to_first(int *fdp)
{
	int result = -ENOENT;

	for (unsigned int i = 0; result < 0; i++) {
		cleanup_free char *path = install_socket_path(i);
		if (!path) {
			break;
		}
		result = connect_to(path, fdp);
	}
	return result;
}

/* One line of any length, up to ANSWER_SIZE_MAX. */
static int receive_line(int fd, char **linep)
{
	size_t length = 0, room = 0;
	cleanup_free char *line = NULL;

	do {
		if (length + 1 >= room) {
			room = room ? 2 * room : 16384;
			char *grown = room <= ANSWER_SIZE_MAX ? realloc(line, room) : NULL;
			if (!grown) {
				return -ENOMEM;
			}
			line = grown;
		}
		ssize_t count = read(fd, line + length, room - length - 1);
		if (count <= 0) {
			return count < 0 ? -errno : -ECONNRESET;
		}
		length += (size_t)count;
	} while (line[length - 1] != '\n');
	line[length - 1] = '\0';
	*linep = steal_pointer(&line);
	return 0;
}

static int ask(int fd, char **answerp)
{
	ssize_t sent = send(fd, REQUEST, strlen(REQUEST), MSG_NOSIGNAL);

	if (sent != (ssize_t)strlen(REQUEST)) {
		return sent < 0 ? -errno : -EIO;
	}
	return receive_line(fd, answerp);
}

/* Copies printable characters; control characters, also those above 0x7f, become '?'. */
static void format_text(char *cell, struct json_object *value)
{
	const unsigned char *text = (const unsigned char *)json_object_get_string(value);
	size_t length = 0;

	for (; text && *text && length + 1 < CELL_SIZE; text++) {
		bool is_c1 = text[0] == 0xc2 && text[1] >= 0x80 && text[1] < 0xa0;
		bool is_control = *text < 0x20 || *text == 0x7f || is_c1;
		text += is_c1;
		cell[length++] = (char)(is_control ? '?' : *text);
	}
	if (length == 0) {
		cell[length++] = '-';
	}
	cell[length] = '\0';
}

static void format_number(char *cell, struct json_object *value)
{
	snprintf(cell, CELL_SIZE, "%" PRIu64, json_object_get_uint64(value));
}

static void format_age(char *cell, struct json_object *value)
{
	uint64_t seconds = json_object_get_uint64(value);
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	size_t i = 0;

	while (i + 1 < array_length(units) && seconds < units[i].seconds) {
		i++;
	}
	snprintf(cell, CELL_SIZE, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].unit);
}

/* Columns of the terminal that are to be filled; 0: no limit. */
static size_t terminal_width(void)
{
	struct winsize size;

	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col
										     : 0;
}

static void format_cell(char *cell, struct json_object *session, const struct column *column)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(session, column->key, &value);
	column->format(cell, value);
}

static void measure(struct json_object *sessions, int *widths)
{
	char cell[CELL_SIZE];

	for (size_t c = 0; c < COLUMNS; c++) {
		widths[c] = (int)strlen(columns[c].title);
	}
	for (size_t i = 0; i < json_object_array_length(sessions); i++) {
		for (size_t c = 0; c + 1 < COLUMNS; c++) {
			format_cell(cell, json_object_array_get_idx(sessions, i), &columns[c]);
			int width = (int)strlen(cell);
			widths[c] = width > widths[c] ? width : widths[c];
		}
	}
}

/* Prints one line; `session` NULL: the titles. The last column takes what the terminal has left. */
static void print_line(struct json_object *session, const int *widths, size_t terminal)
{
	char cell[CELL_SIZE];
	size_t used = 0;

	for (size_t c = 0; c < COLUMNS; c++) {
		if (session) {
			format_cell(cell, session, &columns[c]);
		} else {
			snprintf(cell, sizeof(cell), "%s", columns[c].title);
		}
		if (c + 1 == COLUMNS) {
			bool fits = terminal == 0 || used + strlen(cell) <= terminal;
			int room = fits || terminal < used ? CELL_SIZE : (int)(terminal - used);
			printf("%.*s\n", room, cell);
		} else {
			printf("%*s  ", columns[c].is_number ? widths[c] : -widths[c], cell);
			used += (size_t)widths[c] + 2;
		}
	}
}

static void print_table(struct json_object *sessions)
{
	size_t terminal = terminal_width();
	int widths[COLUMNS];

	measure(sessions, widths);
	print_line(NULL, widths, terminal);
	for (size_t i = 0; i < json_object_array_length(sessions); i++) {
		print_line(json_object_array_get_idx(sessions, i), widths, terminal);
	}
}

static int show(const char *text)
{
	struct json_object *sessions = NULL, *error = NULL;
	struct json_object *answer = json_tokener_parse(text);
	int status = EXIT_FAILURE;

	if (json_object_object_get_ex(answer, "error", &error)) {
		fprintf(stderr, "usher: usherd refused the request: %s\n",
			json_object_get_string(error));
	} else if (!json_object_object_get_ex(answer, "sessions", &sessions) ||
		   !json_object_is_type(sessions, json_type_array)) {
		fprintf(stderr, "usher: the answer of usherd cannot be read; install usher and "
				"usherd of the same release\n");
	} else {
		print_table(sessions);
		status = EXIT_SUCCESS;
	}
	json_object_put(answer);
	return status;
}

static int parse_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"json", no_argument, NULL, 'j'},
		{"socket", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};

	for (int option; (option = getopt_long(argc, argv, "js:", known, NULL)) != -1;) {
		switch (option) {
		case 'j':
			options->json = true;
			break;
		case 's':
			options->socket = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			return -EINVAL;
		}
	}
	return optind == argc ? 0 : -EINVAL;
}

static int complain(int error)
{
	if (error == -ENOENT || error == -ECONNREFUSED) {
		fprintf(stderr,
			"usher: no usherd is running: nobody listens on its control socket; "
			"start usherd, or name its --socket\n");
	} else {
		fprintf(stderr,
			"usher: usherd cannot be asked: %s; is it the one that serves "
			"you?\n",
			strerror(-error));
	}
	return EXIT_FAILURE;
}

int command_status(int argc, char **argv)
{
	struct options options = {0};
	cleanup_free char *answer = NULL;
	cleanup_fd int fd = -1;

	if (parse_options(&options, argc, argv) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	int result = options.socket ? connect_to(options.socket, &fd) : connect_to_first(&fd);
	if (result == 0) {
		result = ask(fd, &answer);
	}
	if (result < 0) {
		return complain(result);
	}
	return options.json ? (puts(answer), EXIT_SUCCESS) : show(answer);
}
