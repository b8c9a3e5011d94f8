/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of values of one argument, of two shapes: a range, which is what orderings ask for, and
 * fixed bits, which is what masks ask for. Both shapes are closed under intersection and, as lists
 * of disjoint sets, under difference; where they meet, a range is cut into runs that begin and end
 * where a bit does, which are fixed bits too. Fixed bits that are such a run are kept as a range.
 *
 * `width` is the bits of the argument that the kernel looks at (syscall_arguments.h); values lie
 * within.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/policy/rule.h"

enum values_shape { VALUES_RANGE, VALUES_BITS };

struct values {
	enum values_shape shape;
	union {
		struct {
			uint64_t first, last;
		};
		struct {
			uint64_t mask, value; /* (argument & mask) == value */
		};
	};
};

/* Disjoint sets. Zeroed is empty. */
struct values_list {
	struct values *items;
	size_t count, capacity;
};

/* More than any filter can hold: what grows beyond is an error, not a long wait. */
#define VALUES_MAX 1024u

void values_list_finish(struct values_list *list);

struct values values_all(uint64_t width);
bool values_are_all(const struct values *values, uint64_t width);
bool values_contain(const struct values *values, uint64_t value);

/* True if some value is in both. */
bool values_overlap(const struct values *one, const struct values *other, uint64_t width);

/* These add to a list. 0, -ENOMEM, or -E2BIG beyond VALUES_MAX. */
int values_of_comparison(
	struct values_list *list, const struct comparison *comparison, uint64_t width);
int values_intersect(struct values_list *list, const struct values *one, const struct values *other,
	uint64_t width);
int values_subtract(struct values_list *list, const struct values *from, const struct values *what,
	uint64_t width);
/* The range as runs, each VALUES_BITS. */
int values_cut_range(struct values_list *list, const struct values *range, uint64_t width);

/* The meaning of a comparison, for one argument: the reference that all this is held against. */
bool comparison_holds(const struct comparison *comparison, uint64_t argument, uint64_t width);
