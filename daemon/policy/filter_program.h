/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program made of a dispatch and of blocks behind it. The dispatch refuses other calling
 * conventions and goes by the call's number: a tree of comparisons, whose leaves are ranges of
 * numbers that share an action. A leaf returns, or jumps to the block where arguments are looked
 * at. So a call that gets one answer gets it by number and architecture alone, which is what the
 * kernel keeps a bitmap of, and for which it does not run the program at all.
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/policy/filter.h"

/* Above any system call's number; x32's lie far higher and are foreign as a whole. */
#define FILTER_CALLS 1024

/* The action of a leaf that goes to block N is this | N; nobody asks for tracing. */
#define FILTER_TO_BLOCK SECCOMP_RET_TRACE

struct filter_dispatch {
	uint32_t actions[FILTER_CALLS]; /* by the call's number */
	uint32_t beyond;                /* of higher numbers: no block's */
	uint32_t foreign;               /* in another calling convention; the same */
};

/* Instructions of which each block ends in returns, and where the blocks start. */
struct filter_code {
	struct sock_filter *instructions;
	size_t count;
	size_t *starts;
};

/* 0, -ENOMEM, or -E2BIG if the program would have more than BPF_MAXINSNS instructions. */
int filter_program_make(struct filter *filter, const struct filter_dispatch *dispatch,
	const struct filter_code *blocks);
