/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One comparison of an argument: what it means, and the instructions that make it. `width` is the
 * bits of the argument that the kernel looks at (syscall_arguments.h); the others are ignored, as
 * the kernel ignores them.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/policy/rule.h"

/* The meaning, for one argument. */
bool comparison_holds(const struct comparison *comparison, uint64_t argument, uint64_t width);

enum comparison_kind {
	COMPARISON_NEVER,   /* no argument satisfies it */
	COMPARISON_ALWAYS,  /* every one does */
	COMPARISON_DEPENDS, /* instructions decide */
};
enum comparison_kind comparison_kind(const struct comparison *comparison, uint64_t width);

/* A jump's target where the comparison does not hold: where that is, the caller knows. */
#define COMPARE_FAILS 255u

#define COMPARE_INSTRUCTIONS_MAX 6

/*
 * Writes the instructions of a comparison that depends: they go on behind the last one if it holds,
 * and jump to COMPARE_FAILS if not. Returns how many there are.
 */
size_t comparison_compile(struct sock_filter instructions[COMPARE_INSTRUCTIONS_MAX],
	const struct comparison *comparison, uint64_t width);
