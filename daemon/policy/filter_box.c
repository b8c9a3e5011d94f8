/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The algebra of boxes. Every operation builds a new set and swaps it in at the end, so that a
 * failure leaves the old one whole.
 */
#include "daemon/policy/filter_box.h"

#include <errno.h>
#include <stdlib.h>

void box_set_init(struct box_set *set, int nr)
{
	*set = (struct box_set){0};
	for (unsigned int i = 0; i < SYSCALL_ARGUMENTS; i++) {
		set->widths[i] = syscall_width(nr, i);
	}
}

int box_set_init_all(struct box_set *set, int nr)
{
	struct box all;

	box_set_init(set, nr);
	for (unsigned int i = 0; i < SYSCALL_ARGUMENTS; i++) {
		all.arguments[i] = values_all(set->widths[i]);
	}
	return box_set_add(set, &all);
}

void box_set_finish(struct box_set *set)
{
	free(set->boxes);
	set->boxes = NULL;
	set->count = set->capacity = 0;
}

int box_set_add(struct box_set *set, const struct box *box)
{
	if (set->count >= BOX_SET_MAX) {
		return -E2BIG;
	}
	if (set->count == set->capacity) {
		size_t capacity = set->capacity ? set->capacity * 2 : 4;
		struct box *boxes = reallocarray(set->boxes, capacity, sizeof(*boxes));

		if (!boxes) {
			return -ENOMEM;
		}
		set->boxes = boxes;
		set->capacity = capacity;
	}
	set->boxes[set->count++] = *box;
	return 0;
}

static struct box_set empty_like(const struct box_set *set)
{
	struct box_set empty = *set;

	empty.boxes = NULL;
	empty.count = empty.capacity = 0;
	return empty;
}

/* Puts `by` in place of the set's boxes if all went well. */
static int replace(struct box_set *set, struct box_set *by, int error)
{
	if (error) {
		box_set_finish(by);
		return error;
	}
	box_set_finish(set);
	*set = *by;
	return 0;
}

/* Adds `box` with each of the values for one argument. */
static int add_each(struct box_set *set, const struct box *box, unsigned int argument,
	const struct values_list *list)
{
	int error = 0;

	for (size_t i = 0; i < list->count && !error; i++) {
		struct box piece = *box;

		piece.arguments[argument] = list->items[i];
		error = box_set_add(set, &piece);
	}
	return error;
}

static int add_restricted(struct box_set *set, const struct box_set *from, unsigned int argument,
	const struct values *to)
{
	int error = 0;

	for (size_t i = 0; i < from->count && !error; i++) {
		struct values_list list = {0};

		error = values_intersect(
			&list, &from->boxes[i].arguments[argument], to, from->widths[argument]);
		if (!error) {
			error = add_each(set, &from->boxes[i], argument, &list);
		}
		values_list_finish(&list);
	}
	return error;
}

static int restrict_argument(struct box_set *set, unsigned int argument, const struct values *to)
{
	struct box_set kept = empty_like(set);
	int error = add_restricted(&kept, set, argument, to);

	return replace(set, &kept, error);
}

int box_set_restrict(struct box_set *set, const struct comparison *comparison)
{
	struct box_set kept = empty_like(set);
	struct values_list list = {0};
	int error = values_of_comparison(&list, comparison, set->widths[comparison->argument]);

	for (size_t i = 0; i < list.count && !error; i++) {
		error = add_restricted(&kept, set, comparison->argument, &list.items[i]);
	}
	values_list_finish(&list);
	return replace(set, &kept, error);
}

/*
 * Splits `from` by `box`: argument by argument, what lies outside goes to `outside`, and the rest
 * is split by the next one. What is left in the end is inside.
 */
static int split(struct box_set *outside, struct box_set *inside, const struct box *from,
	const struct box *box)
{
	struct box_set rest = empty_like(outside);
	int error = box_set_add(&rest, from);

	for (unsigned int i = 0; i < SYSCALL_ARGUMENTS && !error; i++) {
		for (size_t k = 0; k < rest.count && !error; k++) {
			struct values_list list = {0};

			error = values_subtract(&list, &rest.boxes[k].arguments[i],
				&box->arguments[i], rest.widths[i]);
			if (!error) {
				error = add_each(outside, &rest.boxes[k], i, &list);
			}
			values_list_finish(&list);
		}
		if (!error) {
			error = restrict_argument(&rest, i, &box->arguments[i]);
		}
	}
	for (size_t k = 0; k < rest.count && !error; k++) {
		error = box_set_add(inside, &rest.boxes[k]);
	}
	box_set_finish(&rest);
	return error;
}

static bool boxes_overlap(const struct box_set *set, const struct box *one, const struct box *other)
{
	for (unsigned int i = 0; i < SYSCALL_ARGUMENTS; i++) {
		if (!values_overlap(&one->arguments[i], &other->arguments[i], set->widths[i])) {
			return false;
		}
	}
	return true;
}

int box_set_take(struct box_set *set, const struct box *box, struct box_set *taken)
{
	struct box_set outside = empty_like(set);
	int error = 0;

	for (size_t i = 0; i < set->count && !error; i++) {
		if (boxes_overlap(set, &set->boxes[i], box)) {
			error = split(&outside, taken, &set->boxes[i], box);
		} else {
			error = box_set_add(&outside, &set->boxes[i]);
		}
	}
	return replace(set, &outside, error);
}
