/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of calls, by their arguments. A cube fixes some bits of each argument and leaves the others
 * free: what libseccomp can say in one rule, which allows one masked comparison an argument. Any
 * comparison is a union of cubes, and cubes are closed under intersection and difference, so a list
 * of rules where the first match wins becomes a list of disjoint cubes, whose order no longer
 * matters. libseccomp's own order of precedence is thereby out of the game.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/policy/rule.h"

#define CUBE_ARGUMENTS 6u
/* More than any filter can hold: a set that grows beyond is an error, not a long wait. */
#define CUBE_SET_MAX 4096u

/* Calls with (argument[i] & mask[i]) == value[i] for each i. */
struct cube {
	uint64_t mask[CUBE_ARGUMENTS];
	uint64_t value[CUBE_ARGUMENTS];
};

/* A union of disjoint cubes. Zeroed is empty. */
struct cube_set {
	struct cube *cubes;
	size_t count, capacity;
};

void cube_set_finish(struct cube_set *set);

/* 0, -ENOMEM, or -E2BIG beyond CUBE_SET_MAX. */
int cube_set_add(struct cube_set *set, const struct cube *cube);

/*
 * Keeps of `set` only what satisfies the comparison. Bits of the argument outside `width` (the bits
 * that the kernel looks at) are ignored, as the kernel ignores them.
 */
int cube_set_restrict(struct cube_set *set, const struct comparison *comparison, uint64_t width);

/* Moves what lies in `cube` from `set` to `taken` (which may be NULL). */
int cube_set_take(struct cube_set *set, const struct cube *cube, struct cube_set *taken);

/* The meaning of a comparison, for one value: the reference that cubes are held against. */
int comparison_holds(const struct comparison *comparison, uint64_t argument, uint64_t width);
