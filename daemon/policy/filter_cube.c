/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The algebra of cubes. Every operation builds a new set and swaps it in at the end, so that a
 * failure leaves the old one whole. Differences and orderings are cut from the highest bit down:
 * the pieces of one argument are then runs of consecutive values, and few.
 */
#include "daemon/policy/filter_cube.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

void cube_set_finish(struct cube_set *set)
{
	free(set->cubes);
	*set = (struct cube_set){0};
}

int cube_set_add(struct cube_set *set, const struct cube *cube)
{
	if (set->count >= CUBE_SET_MAX) {
		return -E2BIG;
	}
	if (set->count == set->capacity) {
		size_t capacity = set->capacity ? set->capacity * 2 : 8;
		struct cube *cubes = reallocarray(set->cubes, capacity, sizeof(*cubes));

		if (!cubes) {
			return -ENOMEM;
		}
		set->cubes = cubes;
		set->capacity = capacity;
	}
	set->cubes[set->count++] = *cube;
	return 0;
}

static void cube_set_replace(struct cube_set *set, struct cube_set *by)
{
	cube_set_finish(set);
	*set = *by;
	*by = (struct cube_set){0};
}

static bool cubes_overlap(const struct cube *one, const struct cube *other)
{
	for (size_t i = 0; i < CUBE_ARGUMENTS; i++) {
		if ((one->value[i] ^ other->value[i]) & one->mask[i] & other->mask[i]) {
			return false;
		}
	}
	return true;
}

static struct cube cube_intersection(const struct cube *one, const struct cube *other)
{
	struct cube both;

	for (size_t i = 0; i < CUBE_ARGUMENTS; i++) {
		both.mask[i] = one->mask[i] | other->mask[i];
		both.value[i] = one->value[i] | other->value[i];
	}
	return both;
}

/*
 * Adds `from` without `cube`: for each bit that `cube` fixes and `from` leaves free, the part where
 * that bit is the first to differ.
 */
static int add_difference(struct cube_set *set, const struct cube *from, const struct cube *cube)
{
	struct cube rest = *from;

	for (size_t i = 0; i < CUBE_ARGUMENTS; i++) {
		for (uint64_t bit = UINT64_C(1) << 63; bit; bit >>= 1) {
			struct cube piece;
			int error;

			if (!(cube->mask[i] & ~rest.mask[i] & bit)) {
				continue;
			}
			rest.mask[i] |= bit;
			piece = rest;
			piece.value[i] |= ~cube->value[i] & bit;
			rest.value[i] |= cube->value[i] & bit;
			error = cube_set_add(set, &piece);
			if (error) {
				return error;
			}
		}
	}
	return 0;
}

int cube_set_take(struct cube_set *set, const struct cube *cube, struct cube_set *taken)
{
	struct cube_set rest = {0};
	int error = 0;

	for (size_t i = 0; i < set->count && !error; i++) {
		const struct cube *each = &set->cubes[i];

		if (!cubes_overlap(each, cube)) {
			error = cube_set_add(&rest, each);
			continue;
		}
		error = add_difference(&rest, each, cube);
		if (!error && taken) {
			struct cube both = cube_intersection(each, cube);

			error = cube_set_add(taken, &both);
		}
	}
	if (!error) {
		cube_set_replace(set, &rest);
	}
	cube_set_finish(&rest);
	return error;
}

/* An int that was written as -1 has its sign in bits that the kernel does not look at. */
static uint64_t value_in_width(uint64_t value, uint64_t width)
{
	uint64_t sign = (width >> 1) + 1;

	if ((value & ~width) == ~width && (value & sign)) {
		return value & width;
	}
	return value;
}

int comparison_holds(const struct comparison *comparison, uint64_t argument, uint64_t width)
{
	uint64_t value = value_in_width(comparison->value, width);

	argument &= width;
	switch (comparison->operator) {
	case COMPARE_EQ:
		return argument == value;
	case COMPARE_NE:
		return argument != value;
	case COMPARE_LT:
		return argument < value;
	case COMPARE_LE:
		return argument <= value;
	case COMPARE_GT:
		return argument > value;
	case COMPARE_GE:
		return argument >= value;
	case COMPARE_MASKED_EQ:
		return (argument & comparison->mask) == value;
	}
	return 0;
}

/* Adds the part of `from` where the bits `mask` of an argument are `value`. */
static int add_part(struct cube_set *set, const struct cube *from, unsigned int argument,
	uint64_t mask, uint64_t value)
{
	struct cube part = {0};

	part.mask[argument] = mask;
	part.value[argument] = value;
	if (!cubes_overlap(from, &part)) {
		return 0;
	}
	part = cube_intersection(from, &part);
	return cube_set_add(set, &part);
}

/*
 * Adds the parts of `from` that differ from `value`: by the first bit that differs, which is set in
 * those above and clear in those below.
 */
static int add_unequal(struct cube_set *set, const struct cube *from,
	const struct comparison *comparison, uint64_t value, uint64_t width, bool above, bool below)
{
	for (uint64_t bit = UINT64_C(1) << 63; bit; bit >>= 1) {
		uint64_t mask = width & ~(bit - 1);
		bool wanted = (value & bit) ? below : above;
		int error;

		if (!(width & bit) || !wanted) {
			continue;
		}
		error = add_part(set, from, comparison->argument, mask, (value ^ bit) & mask);
		if (error) {
			return error;
		}
	}
	return 0;
}

/* What an ordering lets through: the values above, below and at the one that is compared with. */
static const struct {
	bool above, below, equal;
} orderings[] = {
	[COMPARE_EQ] = {.equal = true},
	[COMPARE_NE] = {.above = true, .below = true},
	[COMPARE_LT] = {.below = true},
	[COMPARE_LE] = {.below = true, .equal = true},
	[COMPARE_GT] = {.above = true},
	[COMPARE_GE] = {.above = true, .equal = true},
};

static int restrict_cube(struct cube_set *set, const struct cube *from,
	const struct comparison *comparison, uint64_t width)
{
	uint64_t value = value_in_width(comparison->value, width);
	int error;

	if (comparison->operator== COMPARE_MASKED_EQ) {
		uint64_t mask = comparison->mask & width;

		return value & ~mask ? 0 : add_part(set, from, comparison->argument, mask, value);
	}
	if (value & ~width) { /* greater than any argument */
		return orderings[comparison->operator].below ? cube_set_add(set, from) : 0;
	}
	error = add_unequal(set, from, comparison, value, width,
		orderings[comparison->operator].above, orderings[comparison->operator].below);
	if (!error && orderings[comparison->operator].equal) {
		error = add_part(set, from, comparison->argument, width, value);
	}
	return error;
}

int cube_set_restrict(struct cube_set *set, const struct comparison *comparison, uint64_t width)
{
	struct cube_set kept = {0};
	int error = 0;

	for (size_t i = 0; i < set->count && !error; i++) {
		error = restrict_cube(&kept, &set->cubes[i], comparison, width);
	}
	if (!error) {
		cube_set_replace(set, &kept);
	}
	cube_set_finish(&kept);
	return error;
}
