/* SPDX-License-Identifier: Apache-2.0 */
/* Names of pinned objects, and the text of names that nobody has looked at yet. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/base/path_text.h"

struct broker;

/*
 * The path of what `fd` refers to, as a target of the session sees it, from the session's root. 0
 * or a negative errno: -ENOENT for what has no path (pipes, memfds, ...; `name` then holds the
 * kernel's word for it), -ENAMETOOLONG. A directory that is deeper than the kernel has a name for
 * is called "(too deep)", in the last one above that has a name, if the policy tells nothing below
 * that apart.
 */
int name_of_fd(const struct broker *broker, int fd, char *name, size_t capacity);

/* Appends "/REST" to a directory's path. 0 or -ENAMETOOLONG. */
int name_append(char *name, size_t capacity, const char *rest);

/*
 * Copies `path` without empty and "." components. False if it has a ".." or ends in ".": such a
 * name cannot be understood as text. A trailing slash is kept.
 */
bool name_clean(char *clean, size_t capacity, const char *path);

/* Removes trailing slashes, but for the root's. */
void name_trim(char *name);

/* Resolves "." and ".." as text: for the rest of a name that leads nowhere anyway. */
void name_normalise(char *name);

/* Is it "." or "..", maybe with slashes behind? Other names may begin with dots as well. */
bool name_is_dots(const char *name);

/* What is no entry of a directory: those, and "/". */
bool name_is_no_entry(const char *name);
