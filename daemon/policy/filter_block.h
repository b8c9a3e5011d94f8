/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks: the instructions of calls' lists, one behind the other. A list is tried as it is written,
 * clause by clause; the filter jumps to its block when it has found the call's number.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/policy/filter_plan.h"
#include "daemon/policy/filter_program.h"

struct filter_blocks {
	struct filter_code code;
	size_t capacity;
	size_t block_count, block_capacity;
};

void filter_blocks_finish(struct filter_blocks *blocks);

/* The action of an answer, as a filter returns it. */
uint32_t filter_action(const struct plan_answer *answer);

/*
 * Adds the list of call `nr` as a block, or finds the one that is the same; `*indexp` is its index.
 * 0, -ENOMEM, or -E2BIG when the blocks alone are more than a program may have.
 */
int filter_blocks_add(
	struct filter_blocks *blocks, int nr, const struct plan_list *list, size_t *indexp);
