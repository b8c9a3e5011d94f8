/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the program: what is answered to a number that has no rule. It looks at the number
 * alone, so that the kernel can keep its answer in the bitmap of what is always allowed.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>

struct plan;

/* Numbers that are not known lie in few ranges, the last without an end. */
#define FILTER_END_INSTRUCTIONS 64

struct filter_end {
	struct sock_filter instructions[FILTER_END_INSTRUCTIONS];
	size_t count;
};

void filter_end_make(struct filter_end *end, const struct plan *plan);
