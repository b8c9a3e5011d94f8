/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a path is when its symbolic links are followed, for warnings about rules on names that are
 * never seen.
 */
#pragma once

#include <stddef.h>

/*
 * The resolved form of the path (`length` bytes), as far as it exists; what does not is kept. NULL
 * if it is the path itself, cannot be told, or lies in /proc, which is another for each process.
 * To be freed.
 */
char *lint_resolve(const char *path, size_t length);
