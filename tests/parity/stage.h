/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage: a tree (tree.h) that many calls are made in, one after another, and a witness that tells
 * after each what is now otherwise: names come and gone, types, modes, owners, sizes, links, and
 * whether times have moved. What was changed is left behind, and the next call gets a new tree.
 *
 * The tree stands two levels below the case's directory, so that a call that reaches `..` changes
 * nothing that later calls need. The witness sees a moved time only if the clock has moved since
 * the tree was made: so long a new stage waits (a tick of the kernel's clock).
 */
#pragma once

#include <limits.h>

#include "tests/parity/parity.h"

#define STAGE_ENTRIES     96
#define STAGE_NAME_LENGTH 300
/* Descriptors from 3 to below this one are closed after each call. */
#define STAGE_FIRST_KEPT 500

struct stage_entry {
	char path[STAGE_NAME_LENGTH];
	struct stat st;
};

struct stage {
	struct scene *scene;
	struct stage_entry before[STAGE_ENTRIES], after[STAGE_ENTRIES];
	size_t before_count, after_count;
	char root[PATH_MAX]; /* of the present tree; what scene->root says */
	char base[PATH_MAX];
	unsigned int number;
	bool is_exact; /* times are never the same before and after a change */
	bool used;     /* the present tree is not as made */
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
