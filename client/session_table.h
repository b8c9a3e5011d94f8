/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions as a table. What clients say of themselves is in it, so nothing of it reaches a terminal
 * but printable characters.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct json_object;

/* Prints a list of sessions on standard output; lines are cut at the terminal's width. */
void session_table_print(struct json_object *sessions);

/* Copies printable characters; control characters, also those above 0x7f, become '?'. */
void session_table_text(char *cell, size_t size, const char *text);

/* Seconds in the largest unit: 5s, 3m, 2h, 1d. */
void session_table_age(char *cell, size_t size, uint64_t seconds);
