/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with one piece of text, said by the leaf parsers (patterns, addresses, sockets):
 * where in the text, and in words. Who knows the file turns it into FILE:LINE:COLUMN.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct mistake {
	size_t offset; /* into the text that was given */
	char text[240];
};

/* Fills it and returns -EINVAL. */
int mistake_set(struct mistake *mistake, size_t offset, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
