/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of calls, by their arguments. A box is a set of values for each argument; clauses are unions
 * of boxes, and what is left of a box when another is taken out of it is again disjoint boxes. So a
 * list of clauses where the first match wins becomes boxes of which no two overlap, and whose order
 * no longer matters: libseccomp's own order of precedence is out of the game.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/policy/filter_values.h"
#include "daemon/policy/syscall_arguments.h"

struct box {
	struct values arguments[SYSCALL_ARGUMENTS];
};

/* A union of disjoint boxes, of one call. */
struct box_set {
	uint64_t widths[SYSCALL_ARGUMENTS];
	struct box *boxes;
	size_t count, capacity;
};

/* Each box that matters is a rule at least: what grows beyond this is no filter, but a long wait.
 */
#define BOX_SET_MAX 1024u

/* An empty set, or the set of all calls of that number. All below: 0, -ENOMEM, or -E2BIG. */
void box_set_init(struct box_set *set, int nr);
int box_set_init_all(struct box_set *set, int nr);
void box_set_finish(struct box_set *set);

int box_set_add(struct box_set *set, const struct box *box);

/* Keeps of the set only what satisfies the comparison. */
int box_set_restrict(struct box_set *set, const struct comparison *comparison);

/* Moves what lies in `box` from `set` to `taken`. */
int box_set_take(struct box_set *set, const struct box *box, struct box_set *taken);
