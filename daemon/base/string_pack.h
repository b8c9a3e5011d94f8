/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings one after the other, each with its NUL, as they travel in packets (usher/wire.h). Who has
 * made one with string_pack_add() finishes it; what a packet has in it is only looked at.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct string_pack {
	const char *text;
	size_t size, count; /* the bytes, NULs included, and how many strings they are */
};

/*
 * Makes room for one more of `size` bytes, its NUL included, which the caller writes at `*to`. 0,
 * -E2BIG if all would be more than `limit` bytes, or -ENOMEM.
 */
int string_pack_add(struct string_pack *pack, size_t limit, size_t size, char **to);
void string_pack_finish(struct string_pack *pack);

bool string_pack_is_same(const struct string_pack *a, const struct string_pack *b);
