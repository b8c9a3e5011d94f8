/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict reader in front of inih. inih has hard limits and hands on what it has cut as if it were
 * right; here every line is looked at before inih sees it, what inih would cut or read differently
 * from how it looks is refused by line and column, and what inih makes of a line is compared with
 * what was seen in it. Nothing here knows what the sections and keys mean.
 */
#pragma once

#include <stddef.h>

/* Where inih's buffers end. */
#define INI_LINE_BYTES    197u /* INI_MAX_LINE less the end of line and the NUL */
#define INI_SECTION_BYTES 49u

/* A piece of a line. The text lives until the callback returns. */
struct ini_piece {
	unsigned int line, column; /* from 1, in bytes */
	const char *text;
};

/* The lines in their order. A callback returns 0, or a negative errno to end the reading. */
struct ini_handler {
	int (*section)(void *user, const struct ini_piece *name); /* also of an empty section */
	int (*key)(void *user, const struct ini_piece *key, const struct ini_piece *value);
	int (*more)(void *user, const struct ini_piece *value); /* an indented line below */
	/* After a mistake the lines that hang on the wrong one are passed over. */
	int (*mistake)(void *user, unsigned int line, unsigned int column, const char *text);
};

/* 0 or what a callback returned. That mistakes were found is known to who was told of them. */
int ini_read(const char *text, size_t size, const struct ini_handler *handler, void *user);
