/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's constants by name, for the command line of `try` and the names of the parity cases:
 * "O_RDWR|O_CREAT|0x40000000".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct word {
	const char *name;
	unsigned long long value;
};

/* Each ends with a NULL name. */
extern const struct word words_open[];
extern const struct word words_resolve[];
extern const struct word words_family[];
extern const struct word words_socket_type[];

/* False if `text` is not a sum of words and numbers. */
bool words_parse(const struct word *words, const char *text, unsigned long long *valuep);

/* Writes `flags` of open(2) by their names; what has none as a number. */
void words_print_open(unsigned long long flags, char *text, size_t size);
