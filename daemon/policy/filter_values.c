/* SPDX-License-Identifier: Apache-2.0 */
/* See filter_values.h. */
#include "daemon/policy/filter_values.h"

#include <errno.h>
#include <stdlib.h>

void values_list_finish(struct values_list *list)
{
	free(list->items);
	*list = (struct values_list){0};
}

static int list_add(struct values_list *list, struct values values)
{
	if (list->count >= VALUES_MAX) {
		return -E2BIG;
	}
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 4;
		struct values *items = reallocarray(list->items, capacity, sizeof(*items));

		if (!items) {
			return -ENOMEM;
		}
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = values;
	return 0;
}

static int add_range(struct values_list *list, uint64_t first, uint64_t last)
{
	return list_add(list, (struct values){.shape = VALUES_RANGE, .first = first, .last = last});
}

/* Adds fixed bits; as a range where all the free ones are the lowest. */
static int add_bits(struct values_list *list, uint64_t mask, uint64_t value, uint64_t width)
{
	uint64_t free_bits = width & ~mask;

	if (!(free_bits & (free_bits + 1))) {
		return add_range(list, value, value | free_bits);
	}
	return list_add(list, (struct values){.shape = VALUES_BITS, .mask = mask, .value = value});
}

struct values values_all(uint64_t width)
{
	return (struct values){.shape = VALUES_RANGE, .first = 0, .last = width};
}

bool values_are_all(const struct values *values, uint64_t width)
{
	return values->shape == VALUES_RANGE && values->first == 0 && values->last == width;
}

bool values_contain(const struct values *values, uint64_t value)
{
	if (values->shape == VALUES_RANGE) {
		return value >= values->first && value <= values->last;
	}
	return (value & values->mask) == values->value;
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

bool comparison_holds(const struct comparison *comparison, uint64_t argument, uint64_t width)
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
	return false;
}

/* What an ordering lets through: the values below, at and above the one compared with. */
static const struct {
	bool below, equal, above;
} orderings[] = {
	[COMPARE_EQ] = {.equal = true},
	[COMPARE_NE] = {.below = true, .above = true},
	[COMPARE_LT] = {.below = true},
	[COMPARE_LE] = {.below = true, .equal = true},
	[COMPARE_GT] = {.above = true},
	[COMPARE_GE] = {.equal = true, .above = true},
};

static int values_of_ordering(
	struct values_list *list, enum comparison_operator operator, uint64_t value, uint64_t width)
{
	uint64_t first = value, last = value;
	int error = 0;

	if (value > width) { /* greater than any argument */
		return orderings[operator].below ? add_range(list, 0, width) : 0;
	}
	if (!orderings[operator].equal) {
		if (orderings[operator].below && value > 0) {
			error = add_range(list, 0, value - 1);
		}
		if (!error && orderings[operator].above && value < width) {
			error = add_range(list, value + 1, width);
		}
		return error;
	}
	first = orderings[operator].below ? 0 : first;
	last = orderings[operator].above ? width : last;
	return add_range(list, first, last);
}

int values_of_comparison(
	struct values_list *list, const struct comparison *comparison, uint64_t width)
{
	uint64_t value = value_in_width(comparison->value, width);
	uint64_t mask = comparison->mask & width;

	if (comparison->operator!= COMPARE_MASKED_EQ) {
		return values_of_ordering(list, comparison->operator, value, width);
	}
	return value & ~mask ? 0 : add_bits(list, mask, value, width);
}

/* The longest run that begins at `first` and does not go beyond `last`, as its free bits. */
static uint64_t run_at(uint64_t first, uint64_t last)
{
	uint64_t free_bits = 0;

	for (;;) {
		uint64_t longer = free_bits << 1 | 1;

		if (free_bits == UINT64_MAX || first & longer || (first | longer) > last) {
			return free_bits;
		}
		free_bits = longer;
	}
}

int values_cut_range(struct values_list *list, const struct values *range, uint64_t width)
{
	uint64_t first = range->first;

	for (;;) {
		uint64_t free_bits = run_at(first, range->last);
		int error = list_add(list,
			(struct values){
				.shape = VALUES_BITS, .mask = width & ~free_bits, .value = first});

		if (error || (first | free_bits) >= range->last) {
			return error;
		}
		first = (first | free_bits) + 1;
	}
}

static bool bits_overlap(const struct values *one, const struct values *other)
{
	return !((one->value ^ other->value) & one->mask & other->mask);
}

static bool range_overlaps_bits(
	const struct values *range, const struct values *bits, uint64_t width)
{
	struct values run = {.shape = VALUES_BITS, .value = range->first};

	for (;;) {
		uint64_t free_bits = run_at(run.value, range->last);

		run.mask = width & ~free_bits;
		if (bits_overlap(&run, bits)) {
			return true;
		}
		if ((run.value | free_bits) >= range->last) {
			return false;
		}
		run.value = (run.value | free_bits) + 1;
	}
}

bool values_overlap(const struct values *one, const struct values *other, uint64_t width)
{
	if (one->shape != other->shape) {
		return one->shape == VALUES_RANGE ? range_overlaps_bits(one, other, width)
						  : range_overlaps_bits(other, one, width);
	}
	return one->shape == VALUES_BITS ? bits_overlap(one, other)
					 : one->first <= other->last && other->first <= one->last;
}

static int intersect_ranges(
	struct values_list *list, const struct values *one, const struct values *other)
{
	uint64_t first = one->first > other->first ? one->first : other->first;
	uint64_t last = one->last < other->last ? one->last : other->last;

	return first <= last ? add_range(list, first, last) : 0;
}

static int intersect_bits(struct values_list *list, const struct values *one,
	const struct values *other, uint64_t width)
{
	if (!bits_overlap(one, other)) {
		return 0;
	}
	return add_bits(list, one->mask | other->mask, one->value | other->value, width);
}

/* Does `with_run` to the runs of a range, one by one. */
static int for_each_run(struct values_list *list, const struct values *range,
	const struct values *bits, uint64_t width,
	int (*with_run)(
		struct values_list *, const struct values *, const struct values *, uint64_t))
{
	struct values_list runs = {0};
	int error = values_cut_range(&runs, range, width);

	for (size_t i = 0; i < runs.count && !error; i++) {
		error = with_run(list, &runs.items[i], bits, width);
	}
	values_list_finish(&runs);
	return error;
}

int values_intersect(struct values_list *list, const struct values *one, const struct values *other,
	uint64_t width)
{
	if (values_are_all(one, width)) {
		return list_add(list, *other);
	}
	if (values_are_all(other, width)) {
		return list_add(list, *one);
	}
	if (one->shape == other->shape) {
		return one->shape == VALUES_RANGE ? intersect_ranges(list, one, other)
						  : intersect_bits(list, one, other, width);
	}
	return one->shape == VALUES_RANGE ? for_each_run(list, one, other, width, intersect_bits)
					  : for_each_run(list, other, one, width, intersect_bits);
}

static int subtract_ranges(
	struct values_list *list, const struct values *from, const struct values *what)
{
	int error = 0;

	if (what->first > from->last || what->last < from->first) {
		return list_add(list, *from);
	}
	if (what->first > from->first) {
		error = add_range(list, from->first, what->first - 1);
	}
	if (!error && what->last < from->last) {
		error = add_range(list, what->last + 1, from->last);
	}
	return error;
}

/* For each bit that `what` fixes and `from` leaves free: where that is the first to differ. */
static int subtract_bits(struct values_list *list, const struct values *from,
	const struct values *what, uint64_t width)
{
	uint64_t mask = from->mask, value = from->value;

	if (!bits_overlap(from, what)) {
		return add_bits(list, mask, value, width);
	}
	for (uint64_t bit = UINT64_C(1) << 63; bit; bit >>= 1) {
		int error;

		if (!(what->mask & ~mask & bit)) {
			continue;
		}
		mask |= bit;
		error = add_bits(list, mask, value | (~what->value & bit), width);
		if (error) {
			return error;
		}
		value |= what->value & bit;
	}
	return 0;
}

/* Bits without a range are what of them lies below and above it. */
static int subtract_range_from_bits(struct values_list *list, const struct values *from,
	const struct values *what, uint64_t width)
{
	struct values_list around = {0};
	const struct values all = values_all(width);
	int error = subtract_ranges(&around, &all, what);

	for (size_t i = 0; i < around.count && !error; i++) {
		error = values_intersect(list, from, &around.items[i], width);
	}
	values_list_finish(&around);
	return error;
}

int values_subtract(struct values_list *list, const struct values *from, const struct values *what,
	uint64_t width)
{
	if (values_are_all(what, width)) {
		return 0;
	}
	if (from->shape == what->shape) {
		return from->shape == VALUES_RANGE ? subtract_ranges(list, from, what)
						   : subtract_bits(list, from, what, width);
	}
	return from->shape == VALUES_RANGE ? for_each_run(list, from, what, width, subtract_bits)
					   : subtract_range_from_bits(list, from, what, width);
}
