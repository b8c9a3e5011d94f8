/* SPDX-License-Identifier: Apache-2.0 */
/* See filter_program.h. */
#include "daemon/policy/filter_program.h"

#include <asm/unistd.h>
#include <assert.h>
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"

/* How far a conditional jump reaches, with two instructions to spare. */
#define NEAR 253

/* Architecture and number; then, of each range, a comparison, two longer jumps and a return. */
#define HEAD_INSTRUCTIONS 4
#define RANGES_MAX        (FILTER_CALLS + 3)
#define DISPATCH_MAX      (HEAD_INSTRUCTIONS + 4 * RANGES_MAX)
static_assert(FILTER_CALLS <= SECCOMP_RET_DATA, "each call may have a block");

struct range {
	uint32_t first; /* it goes on to where the next one begins */
	uint32_t action;
};

struct ranges {
	struct range items[RANGES_MAX];
	size_t count;
};

static void add(struct ranges *ranges, uint32_t first, uint32_t action)
{
	if (ranges->count == 0 || ranges->items[ranges->count - 1].action != action) {
		ranges->items[ranges->count++] = (struct range){first, action};
	}
}

static void find_ranges(struct ranges *ranges, const struct filter_dispatch *dispatch)
{
	ranges->count = 0;
	for (uint32_t nr = 0; nr < FILTER_CALLS; nr++) {
		add(ranges, nr, dispatch->actions[nr]);
	}
	add(ranges, FILTER_CALLS, dispatch->beyond);
#ifdef __X32_SYSCALL_BIT
	add(ranges, __X32_SYSCALL_BIT, dispatch->foreign);
	add(ranges, UINT32_MAX, dispatch->beyond); /* what a tracer writes to skip a call */
#endif
}

/*
 * Instructions are put down from the last to the first, since jumps go forward: what one jumps to
 * is there already. A position is how many there are from it to the end.
 */
struct code {
	struct sock_filter *end;
	size_t count;
};

static size_t put(struct code *code, struct sock_filter instruction)
{
	code->count++;
	*(code->end - code->count) = instruction;
	return code->count;
}

/* Ranges that share an action share a return, where there is one in reach. */
static size_t put_leaf(struct code *code, uint32_t action)
{
	size_t farthest = code->count > NEAR ? code->count - NEAR : 0;

	for (size_t position = code->count; position > farthest; position--) {
		const struct sock_filter *at = code->end - position;

		if (at->code == (BPF_RET | BPF_K) && at->k == action) {
			return position;
		}
	}
	return put(code, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* The position, or that of a jump to it that is nearer. */
static size_t in_reach(struct code *code, size_t position)
{
	uint32_t distance = (uint32_t)(code->count - position);

	return distance <= NEAR
		       ? position
		       : put(code, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, distance));
}

static size_t put_branch(struct code *code, uint32_t first, size_t upper, size_t lower)
{
	upper = in_reach(code, upper);
	lower = in_reach(code, lower);
	return put(code, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first,
				 (uint8_t)(code->count - upper), (uint8_t)(code->count - lower)));
}

/* The tree over these ranges, of which there is one at least: the position where it begins. */
static size_t put_tree(struct code *code, const struct range *ranges, size_t count)
{
	size_t half = count / 2;

	if (count == 1) {
		return put_leaf(code, ranges->action);
	}
	size_t upper = put_tree(code, ranges + half, count - half);
	size_t lower = put_tree(code, ranges, half);
	return put_branch(code, ranges[half].first, upper, lower);
}

static void put_dispatch(struct code *code, const struct filter_dispatch *dispatch)
{
	const struct sock_filter head[HEAD_INSTRUCTIONS] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, dispatch->foreign),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct ranges ranges;

	find_ranges(&ranges, dispatch);
	(void)put_tree(code, ranges.items, ranges.count); /* begins where it was put last */
	for (size_t i = HEAD_INSTRUCTIONS; i > 0; i--) {
		(void)put(code, head[i - 1]);
	}
}

/* Leaves that stand for blocks become jumps to them. */
static void join(struct sock_filter *dispatch, size_t count, const size_t *starts)
{
	for (size_t i = 0; i < count; i++) {
		bool is_block = dispatch[i].code == (BPF_RET | BPF_K) &&
				(dispatch[i].k & SECCOMP_RET_ACTION_FULL) == FILTER_TO_BLOCK;

		if (is_block) {
			size_t target = count + starts[dispatch[i].k & SECCOMP_RET_DATA];

			dispatch[i] = (struct sock_filter)BPF_STMT(
				BPF_JMP | BPF_JA, (uint32_t)(target - i - 1));
		}
	}
}

int filter_program_make(struct filter *filter, const struct filter_dispatch *dispatch,
	const struct filter_code *blocks)
{
	cleanup_free struct sock_filter *room = malloc(DISPATCH_MAX * sizeof(*room));
	struct code code = {.end = room + DISPATCH_MAX};

	if (!room) {
		return -ENOMEM;
	}
	put_dispatch(&code, dispatch);
	struct sock_filter *instructions = code.end - code.count;
	size_t count = code.count + blocks->count;
	if (count > BPF_MAXINSNS) {
		return -E2BIG;
	}
	join(instructions, code.count, blocks->starts);
	filter->instructions = malloc(count * sizeof(*instructions));
	if (!filter->instructions) {
		return -ENOMEM;
	}
	filter->count = count;
	memcpy(filter->instructions, instructions, code.count * sizeof(*instructions));
	if (blocks->count) {
		memcpy(filter->instructions + code.count, blocks->instructions,
			blocks->count * sizeof(*instructions));
	}
	return 0;
}
