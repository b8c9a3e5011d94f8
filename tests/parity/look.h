/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two looks at a tree, and what has changed from the first to the second: names come and gone,
 * types, modes, owners, sizes, links, and whether times have moved: `m` if the content's, otherwise
 * `c` if the inode's (whose moving with the content's nobody can tell for sure in memory).
 *
 * What was made long ago shows each change of its content's time. That of its inode's is seen only
 * if the clock has moved since the first look: so long that one waits, where the file system's
 * times are not exact (a tick of the kernel's clock).
 */
#pragma once

#include <stdbool.h>

#include "tests/common/observe.h"

/* Sets all times below `root`, and its own, to a moment long ago. */
void look_make_old(const char *root);

/* The first look. Returns 0 or a negative errno. */
int look_remember(const char *root);

/* The second, told. Positive if anything has changed, 0, or a negative errno if `root` is gone. */
int look_tell(struct observation *observation);
