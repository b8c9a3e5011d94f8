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

/* A tree of as many leaves is at most as long as a conditional jump. */
#define NEAR_LEAVES 128

/* Architecture and number; then, of each leaf but one, a comparison and perhaps a longer jump. */
#define HEAD_INSTRUCTIONS 4
#define RANGES_MAX        (FILTER_CALLS + 3)
#define DISPATCH_MAX      (HEAD_INSTRUCTIONS + 3 * RANGES_MAX)
static_assert(DISPATCH_MAX <= BPF_MAXINSNS, "any dispatch is a program");
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

/* The tree over these ranges, of which there is one at least. Returns how long it is. */
static size_t put_tree(struct sock_filter *at, const struct range *ranges, size_t count)
{
	size_t half = count / 2;
	size_t head = half > NEAR_LEAVES ? 2 : 1;

	if (count == 1) {
		*at = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ranges->action);
		return 1;
	}
	size_t lower = put_tree(at + head, ranges, half);
	if (head == 1) {
		at[0] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JGE | BPF_K, ranges[half].first, (uint8_t)lower, 0);
	} else {
		at[0] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JGE | BPF_K, ranges[half].first, 0, 1);
		at[1] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)lower);
	}
	return head + lower + put_tree(at + head + lower, ranges + half, count - half);
}

static size_t put_dispatch(struct sock_filter *at, const struct filter_dispatch *dispatch)
{
	const struct sock_filter head[HEAD_INSTRUCTIONS] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, dispatch->foreign),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct ranges ranges;

	find_ranges(&ranges, dispatch);
	memcpy(at, head, sizeof(head));
	return HEAD_INSTRUCTIONS + put_tree(at + HEAD_INSTRUCTIONS, ranges.items, ranges.count);
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
	cleanup_free struct sock_filter *instructions =
		malloc((DISPATCH_MAX + blocks->count) * sizeof(*instructions));

	if (!instructions) {
		return -ENOMEM;
	}
	size_t count = put_dispatch(instructions, dispatch);
	if (count + blocks->count > BPF_MAXINSNS) {
		return -E2BIG;
	}
	join(instructions, count, blocks->starts);
	if (blocks->count) {
		memcpy(instructions + count, blocks->instructions,
			blocks->count * sizeof(*instructions));
	}
	filter->count = count + blocks->count;
	filter->instructions = steal_pointer(&instructions);
	return 0;
}
