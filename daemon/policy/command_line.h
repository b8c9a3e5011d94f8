/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command lines of usher and usherd: getopt_long(3) reads them, and what is wrong in them is
 * told here, on standard error, always by the option's name and with what it should have been.
 */
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct words;

#define EXIT_USAGE 2 /* of usherd, and of all commands of usher but run */

/*
 * As getopt_long(3); `letters` begins with ':', or with "+:" where options end at the first other
 * word. Returns '?' for what is none of `known`, lacks its value or has one too many: told.
 */
int command_line_next(int argc, char **argv, const char *letters, const struct option *known);

/* Is the text a whole number, of decimal digits and no more? Nothing is told. */
bool command_line_is_number(const char *text, uint64_t *numberp);

/* A whole number from `least` to `most`. 0, or -EINVAL, told. */
int command_line_number(
	const char *name, const char *text, uint64_t least, uint64_t most, uint64_t *numberp);

/* The same with decimals. */
int command_line_decimal(
	const char *name, const char *text, double least, double most, double *numberp);

/* A word of a table, whose value is stored where `valuep` is not NULL. 0, or -EINVAL, told. */
int command_line_word(const char *name, const char *text, const struct words *words, long *valuep);

/* After the options: 0 if there is no word left, else -EINVAL, told. */
int command_line_end(const char *program, char **rest);

/* Says where to read more, after what was told. EXIT_USAGE. */
int command_line_wrong(const char *program);
