/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal of `usher top`: the only user of ncurses. */
#pragma once

#include <stdbool.h>

struct top_model;

enum top_key { TOP_KEY_NONE, TOP_KEY_QUIT, TOP_KEY_SORT, TOP_KEY_PAUSE, TOP_KEY_REDRAW };

/*
 * Takes the terminal, and gives it back however the program ends, but for what nobody can catch.
 * 0, or -ENOTTY, -EINVAL (TERM names none).
 */
int top_screen_open(void);
void top_screen_close(void);

void top_screen_draw(const struct top_model *model, bool paused);

/* The next key that was pressed; does not wait. */
enum top_key top_screen_key(void);
