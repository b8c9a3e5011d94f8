/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage: a tree (tree.h) that many calls are made in, one after another, and a witness
 * (witness.h) that tells after each what is now otherwise (look.h). What was changed is left
 * behind, and the next call gets a new tree.
 *
 * The tree stands two levels below the case's directory, so that a call that reaches `..` changes
 * nothing that later calls need.
 */
#pragma once

#include <limits.h>

#include "tests/parity/parity.h"

/* Descriptors from 3 to below this one are closed after each call. */
#define STAGE_FIRST_KEPT 500

struct stage {
	struct scene *scene;
	char root[PATH_MAX]; /* of the present tree; what scene->root says */
	char base[PATH_MAX];
	unsigned int number;
	bool used; /* the present tree is not as made */
};

struct stage *stage_new(struct scene *scene);
/* Stands in a tree that is as made; true if it is a new one. */
bool stage_enter(struct stage *stage);
/* What happened up to here is part of the tree. */
void stage_remember(struct stage *stage);
/* What happened up to here is preparation of one call; the tree will not be used again. */
void stage_prepared(struct stage *stage);
/* Tells what has changed since stage_enter or stage_prepared, and closes descriptors. */
void stage_tell(struct stage *stage);
