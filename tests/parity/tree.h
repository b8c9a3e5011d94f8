/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every case finds around it:
 *
 *   regular, empty, readonly, writeonly, forbidden, executable, setuid   files
 *   dir/inner, sticky/, setgid/, closed/inner (a directory of mode 0)
 *   fifo, socket
 *   link -> regular, chain -> link, dirlink -> dir, dangling -> nowhere, loop -> loop,
 *   parent -> dir/../regular, null -> /dev/null, absolute -> (the root)/regular
 */
#pragma once

#include "tests/parity/parity.h"

/* Makes the tree in the working directory, which is `root`; the witness does. 0 or -errno. */
int tree_make(const char *root);

/* What is now otherwise in the working directory than tree_make left it. */
int tree_observe_changes(struct observation *observation);

/* The same of the scene's own tree, seen by the witness and told. */
void tree_tell_changes(struct scene *scene);
