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

/* Makes the tree in the working directory. */
void tree_make(struct scene *scene);

/* Tells what is now otherwise in the tree than tree_make left it. */
void tree_tell_changes(struct scene *scene);
