/* SPDX-License-Identifier: Apache-2.0 */
#include "client/session_table.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

#define CELL_SIZE 512

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

void session_table_text(char *cell, size_t size, const char *text)
{
	size_t length = 0;

	for (const unsigned char *in = (const unsigned char *)text; in && *in && length + 1 < size;
		in++) {
		bool is_c1 = in[0] == 0xc2 && in[1] >= 0x80 && in[1] < 0xa0;
		bool is_control = *in < 0x20 || *in == 0x7f || is_c1;
		in += is_c1;
		cell[length++] = (char)(is_control ? '?' : *in);
	}
	if (length == 0) {
		cell[length++] = '-';
	}
	cell[length] = '\0';
}

static void format_text(char *cell, struct json_object *value)
{
	session_table_text(cell, CELL_SIZE, json_object_get_string(value));
}

static void format_number(char *cell, struct json_object *value)
{
	snprintf(cell, CELL_SIZE, "%" PRIu64, json_object_get_uint64(value));
}

void session_table_age(char *cell, size_t size, uint64_t seconds)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	size_t i = 0;

	while (i + 1 < array_length(units) && seconds < units[i].seconds) {
		i++;
	}
	(void)snprintf(cell, size, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].unit);
}

static void format_age(char *cell, struct json_object *value)
{
	session_table_age(cell, CELL_SIZE, json_object_get_uint64(value));
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

void session_table_print(struct json_object *sessions)
{
	size_t terminal = terminal_width();
	int widths[COLUMNS];

	measure(sessions, widths);
	print_line(NULL, widths, terminal);
	for (size_t i = 0; i < json_object_array_length(sessions); i++) {
		print_line(json_object_array_get_idx(sessions, i), widths, terminal);
	}
}
