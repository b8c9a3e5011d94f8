/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The witness: a process that makes the trees which calls are made in, and tells afterwards what is
 * otherwise in them. It stands outside of the session that is looked at, if run.py starts it: so
 * what it sees is seen natively, and a case costs under usher little more than its call.
 *
 * One question at a time goes over a socket pair and is answered before the case goes on. A case
 * may be killed between the two, so each question has a number, and old answers are passed over.
 */
#pragma once

#include "tests/parity/parity.h"

/* Above every number that a case uses, and any limit that it sets. */
#define WITNESS_FD 900

/* Starts a witness as a child, or takes the one at the other end of `fd` (consumed) if it is not
 * -1. Returns 0 or a negative errno. */
int witness_start(int fd);

/* Answers until the other end is closed. */
void witness_serve(int fd);

/* Makes the directory `root` and a tree (tree.h) in it; what is `old` was made long ago, and is
 * remembered. Returns 0 or a negative errno. */
int witness_make(const char *root, bool old);
/* The tree made last, as it is now, is what was made long ago. */
int witness_remember(void);
/* Tells what has changed since; positive if anything has. */
int witness_tell(struct scene *scene);
/* Tells what is otherwise below `root` than tree_make left it. */
int witness_tell_tree(struct scene *scene, const char *root);
/* Removes `root` and all below it, whatever its modes. */
int witness_remove(const char *root);
