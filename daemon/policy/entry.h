/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key of a policy's file with its value, which may go on in the lines below.
 */
#pragma once

#include <stddef.h>

struct ini_piece;

struct piece {
	unsigned int line, column;
	char *text;
};

/* The first is the key, the others are the value. */
struct entry {
	struct piece *pieces;
	size_t count, capacity;
};

/* Copies the piece. 0 or -ENOMEM. */
int entry_add(struct entry *entry, const struct ini_piece *piece);
/* Empty again, for the next key. */
void entry_clear(struct entry *entry);
void entry_finish(struct entry *entry);

/* KEY = VALUE as it was written, on one line; allocated. */
char *entry_text(const struct entry *entry);
