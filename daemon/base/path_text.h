/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as text: absolute, clean, and without a slash at the end but the root's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What of `name` is left below `path`: "" or "/REST"; NULL if it is not below it. */
const char *name_rest(const char *name, const char *path);

/* The opposite: "/a" and "/b" make "/a/b", "/" and "/b" make "/b". 0 or -ENAMETOOLONG. */
int name_join(char *name, size_t capacity, const char *path, const char *rest);

bool name_is_below(const char *name, const char *directory);
