/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the paths of a policy can have anything to do with each other: those of which the
 * literal beginning of one begins that of the other. A question about pairs of paths need be asked
 * of these alone, and they are few, where all pairs are many.
 *
 * In the order of their beginnings the kin of a path are those that it lies below, each of them the
 * kin of the next, and all from itself on up to some other.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct policy;

#define KIN_MAX 512u

/* By the path's index in the policy, but for `sorted`, which holds them by their places. */
struct kin {
	uint16_t sorted[KIN_MAX];
	uint16_t place[KIN_MAX];
	uint16_t above[KIN_MAX];  /* the nearest that it lies below, or KIN_MAX */
	uint16_t behind[KIN_MAX]; /* the place after the last that lies below it */
};

/* Of a policy with at most KIN_MAX paths. */
void kin_find(struct kin *kin, const struct policy *policy);

/*
 * The next after `other` of the kin of `path`, which goes round: `path` itself comes before the
 * first and after the last. Equal beginnings are kin; of the order nothing else is known.
 */
size_t kin_next(const struct kin *kin, size_t path, size_t other);
