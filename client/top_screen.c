/* SPDX-License-Identifier: Apache-2.0 */
#include "client/top_screen.h"

#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <term.h>
#include <unistd.h>

#include "client/color.h"
#include "client/session_table.h"
#include "client/top_model.h"
#include "daemon/base/cleanup.h"

#define PAIR_DENIED  1
#define PAIR_BUSY    2
#define HEAD_LINES   3  /* above the sessions */
#define DENIED_LINES 10 /* at most, with their title */

static SCREEN *screen;
static bool has_color;

/* endwin(3) may be called twice, by us and at the exit. */
void top_screen_close(void)
{
	if (screen && !isendwin()) {
		endwin();
	}
}

/* One that TERM names, and whose cursor can be moved: on others nothing would be where it belongs.
 */
static bool can_be_drawn_on(void)
{
	int error;

	if (setupterm(NULL, STDOUT_FILENO, &error) == ERR) {
		return false;
	}
	const char *move = tigetstr("cup");
	bool can = move && move != (const char *)-1;
	del_curterm(cur_term);
	return can;
}

int top_screen_open(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		return -ENOTTY;
	}
	if (!can_be_drawn_on()) {
		return -EINVAL;
	}
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		return -EINVAL;
	}
	(void)atexit(top_screen_close);
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	(void)curs_set(0);
	has_color = color_is_wanted(STDOUT_FILENO) && has_colors() && start_color() == OK;
	if (has_color) {
		use_default_colors();
		init_pair(PAIR_DENIED, COLOR_RED, -1);
		init_pair(PAIR_BUSY, COLOR_GREEN, -1);
	}
	return 0;
}

/* One line, cut at the width; what was on it is gone. */
static __attribute__((format(printf, 3, 4))) void draw_line(
	int line, attr_t attributes, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0) {
		text = NULL;
	}
	va_end(arguments);
	if (!text || line < 0 || line >= LINES) {
		return;
	}
	attrset(attributes);
	mvaddnstr(line, 0, text, COLS);
	/* A title goes over the whole width. */
	for (int x = getcurx(stdscr);
		(attributes & A_REVERSE) && x < COLS && getcury(stdscr) == line; x++) {
		addch(' ');
	}
	attrset(A_NORMAL);
}

static attr_t color(int pair)
{
	return has_color ? (attr_t)COLOR_PAIR(pair) : A_NORMAL;
}

static void draw_head(const struct top_model *model, bool paused)
{
	char age[32];

	session_table_age(age, sizeof(age), model->age);
	draw_line(0, A_BOLD, "usherd up %s, %zu sessions of %" PRIu64 ", %.0f answers/s%s", age,
		model->count, model->limit, model->rate, paused ? ", paused" : "");
	draw_line(1, A_NORMAL, "q quit  s sort (by %s)  p pause", top_order_name(model->order));
}

static void draw_session(int line, const struct top_session *session)
{
	char age[32];

	session_table_age(age, sizeof(age), session->age);
	draw_line(line, session->rate >= 1 ? color(PAIR_BUSY) : A_NORMAL,
		"%7" PRIu64 " %-10.10s %-8.8s %4s %7.0f %7" PRIu64 " %6" PRIu64 " %6" PRIu64 " %s",
		session->id, session->policy, session->user, age, session->rate, session->denied,
		session->median, session->slowest, session->command);
}

static void draw_denied(const struct top_model *model, int first)
{
	draw_line(first, A_REVERSE, "  COUNT POLICY     MOST DENIED%s",
		model->untold ? " (some were left out)" : "");
	for (int i = 0; i < (int)model->denied_count && first + 1 + i < LINES; i++) {
		const struct top_denied *one = &model->denied[i];
		draw_line(first + 1 + i, color(PAIR_DENIED), "%7" PRIu64 " %-10.10s %s", one->count,
			one->policy, one->name);
	}
}

void top_screen_draw(const struct top_model *model, bool paused)
{
	int denied_lines = LINES / 3 < DENIED_LINES ? LINES / 3 : DENIED_LINES;
	int last = LINES - denied_lines;

	erase();
	draw_head(model, paused);
	draw_line(2, A_REVERSE, "%7s %-10s %-8s %4s %7s %7s %6s %6s %s", "SESSION", "POLICY",
		"USER", "AGE", "RATE/S", "DENIED", "P50/us", "P99/us", "COMMAND");
	for (int i = 0; i < (int)model->count && HEAD_LINES + i < last; i++) {
		draw_session(HEAD_LINES + i, &model->sessions[i]);
	}
	draw_denied(model, last);
	refresh();
}

enum top_key top_screen_key(void)
{
	switch (getch()) {
	case 'q':
	case 'Q':
		return TOP_KEY_QUIT;
	case 's':
		return TOP_KEY_SORT;
	case 'p':
		return TOP_KEY_PAUSE;
	case KEY_RESIZE:
		return TOP_KEY_REDRAW;
	case ERR:
		return TOP_KEY_NONE;
	default:
		return TOP_KEY_REDRAW;
	}
}
