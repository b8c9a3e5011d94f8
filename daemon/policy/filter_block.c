/* SPDX-License-Identifier: Apache-2.0 */
/* See filter_block.h. */
#include "daemon/policy/filter_block.h"

#include <assert.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/policy/filter_compare.h"
#include "daemon/policy/syscall_arguments.h"

/* Jumps over a whole clause must fit into eight bits, and not be taken for COMPARE_FAILS. */
#define CLAUSE_INSTRUCTIONS_MAX (PLAN_COMPARISONS * COMPARE_INSTRUCTIONS_MAX + 1)
static_assert(CLAUSE_INSTRUCTIONS_MAX < COMPARE_FAILS, "a clause is one jump long");

void filter_blocks_finish(struct filter_blocks *blocks)
{
	free(blocks->code.instructions);
	free(blocks->code.starts);
	*blocks = (struct filter_blocks){0};
}

uint32_t filter_action(const struct plan_answer *answer)
{
	switch (answer->answer) {
	case FILTER_ALLOW:
		return SECCOMP_RET_ALLOW;
	case FILTER_NOTIFY:
		return SECCOMP_RET_USER_NOTIF;
	case FILTER_ERRNO:
		return SECCOMP_RET_ERRNO | ((uint32_t)answer->error & SECCOMP_RET_DATA);
	case FILTER_KILL:
		break;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

static int append(
	struct filter_blocks *blocks, const struct sock_filter *instructions, size_t count)
{
	if (blocks->code.count + count > BPF_MAXINSNS) {
		return -E2BIG;
	}
	if (blocks->code.count + count > blocks->capacity) {
		size_t capacity = blocks->capacity * 2 + CLAUSE_INSTRUCTIONS_MAX;
		struct sock_filter *grown =
			reallocarray(blocks->code.instructions, capacity, sizeof(*grown));

		if (!grown) {
			return -ENOMEM;
		}
		blocks->code.instructions = grown;
		blocks->capacity = capacity;
	}
	memcpy(blocks->code.instructions + blocks->code.count, instructions,
		count * sizeof(*instructions));
	blocks->code.count += count;
	return 0;
}

static bool can_match(int nr, const struct plan_clause *clause)
{
	for (size_t i = 0; i < clause->count; i++) {
		const struct comparison *comparison = &clause->comparisons[i];

		if (comparison_kind(comparison, syscall_width(nr, comparison->argument)) ==
			COMPARISON_NEVER) {
			return false;
		}
	}
	return true;
}

/* What fails goes on behind the clause. */
static void settle_failures(struct sock_filter *instructions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t end = (uint8_t)(count - i - 1);

		if (instructions[i].jt == COMPARE_FAILS) {
			instructions[i].jt = end;
		}
		if (instructions[i].jf == COMPARE_FAILS) {
			instructions[i].jf = end;
		}
	}
}

static int append_clause(struct filter_blocks *blocks, int nr, const struct plan_clause *clause)
{
	struct sock_filter instructions[CLAUSE_INSTRUCTIONS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < clause->count; i++) {
		const struct comparison *comparison = &clause->comparisons[i];
		uint64_t width = syscall_width(nr, comparison->argument);

		if (comparison_kind(comparison, width) == COMPARISON_DEPENDS) {
			count += comparison_compile(instructions + count, comparison, width);
		}
	}
	instructions[count++] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, filter_action(&clause->answer));
	settle_failures(instructions, count);
	return append(blocks, instructions, count);
}

/* The block that is the same as the one from `start` on; block_count if there is none. */
static size_t find_twin(const struct filter_blocks *blocks, size_t start)
{
	size_t size = blocks->code.count - start;

	for (size_t i = 0; i < blocks->block_count; i++) {
		if (blocks->code.starts[i] + size <= start &&
			!memcmp(blocks->code.instructions + blocks->code.starts[i],
				blocks->code.instructions + start,
				size * sizeof(*blocks->code.instructions))) {
			return i;
		}
	}
	return blocks->block_count;
}

static int add_start(struct filter_blocks *blocks, size_t start)
{
	if (blocks->block_count == blocks->block_capacity) {
		size_t capacity = blocks->block_capacity * 2 + 8;
		size_t *starts = reallocarray(blocks->code.starts, capacity, sizeof(*starts));

		if (!starts) {
			return -ENOMEM;
		}
		blocks->code.starts = starts;
		blocks->block_capacity = capacity;
	}
	blocks->code.starts[blocks->block_count++] = start;
	return 0;
}

int filter_blocks_add(
	struct filter_blocks *blocks, int nr, const struct plan_list *list, size_t *indexp)
{
	size_t start = blocks->code.count;
	int error = 0;

	for (size_t i = 0; i < list->count && !error; i++) {
		if (can_match(nr, &list->clauses[i])) {
			error = append_clause(blocks, nr, &list->clauses[i]);
		}
	}
	if (error) {
		return error;
	}
	*indexp = find_twin(blocks, start);
	if (*indexp < blocks->block_count) {
		blocks->code.count = start;
		return 0;
	}
	return add_start(blocks, start);
}
