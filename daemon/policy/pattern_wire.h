/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern of paths as a text without variables, for another process (usher/wire.h): as it is
 * written in a policy, with a backslash before each character that is not special, but would look
 * so.
 */
#pragma once

#include <stddef.h>

struct pattern;

/* Its length, without a NUL; 0 if it cannot be told: a variable has put such a character behind a
 * special one. */
size_t pattern_wire_length(const struct pattern *pattern);

/* Writes so many bytes, and returns where they end. */
char *pattern_wire_write(char *to, const struct pattern *pattern);

/* 0 and a pattern, -ENOMEM, or -EINVAL. */
int pattern_wire_read(struct pattern **patternp, const char *text);
