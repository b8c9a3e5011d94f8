/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter's machine has words of 32 bits: an argument of 64 is compared by its halves, the upper
 * one first, which decides unless it is equal.
 */
#include "daemon/policy/filter_compare.h"

#include <linux/seccomp.h>

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

/* How an operator is made of the machine's: a jump on the lowest word, perhaps turned round. */
static const struct {
	uint16_t jump;
	bool negated;
	bool is_ordering; /* a greater upper half decides */
} makings[] = {
	[COMPARE_EQ] = {BPF_JEQ, false, false},
	[COMPARE_NE] = {BPF_JEQ, true, false},
	[COMPARE_LT] = {BPF_JGE, true, true},
	[COMPARE_LE] = {BPF_JGT, true, true},
	[COMPARE_GT] = {BPF_JGT, false, true},
	[COMPARE_GE] = {BPF_JGE, false, true},
	[COMPARE_MASKED_EQ] = {BPF_JEQ, false, false},
};

enum comparison_kind comparison_kind(const struct comparison *comparison, uint64_t width)
{
	uint64_t value = value_in_width(comparison->value, width);
	uint64_t mask = comparison->mask & width;

	if (comparison->operator== COMPARE_MASKED_EQ) {
		if (value & ~mask) {
			return COMPARISON_NEVER;
		}
		return mask ? COMPARISON_DEPENDS : COMPARISON_ALWAYS;
	}
	if (value > width) { /* no argument is as great */
		return makings[comparison->operator].negated ? COMPARISON_ALWAYS : COMPARISON_NEVER;
	}
	return COMPARISON_DEPENDS;
}

/* Instructions in the making; `holds` and `fails` are where a jump ends up. */
struct code {
	struct sock_filter *at;
	size_t count;
};

#define GO_ON      0u
#define WHEN_HOLDS 254u /* behind the last instruction, which is not known yet */

static void add(struct code *code, uint16_t operation, uint32_t k, unsigned int jt, unsigned int jf)
{
	code->at[code->count++] = (struct sock_filter){
		.code = operation, .k = k, .jt = (uint8_t)jt, .jf = (uint8_t)jf};
}

static void add_load(struct code *code, unsigned int argument, bool upper, uint32_t mask)
{
	bool is_second = upper != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
	size_t offset = offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t) +
			(is_second ? sizeof(uint32_t) : 0);

	add(code, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, GO_ON, GO_ON);
	if (mask != UINT32_MAX) {
		add(code, BPF_ALU | BPF_AND | BPF_K, mask, GO_ON, GO_ON);
	}
}

static void settle(struct code *code)
{
	for (size_t i = 0; i < code->count; i++) {
		uint8_t end = (uint8_t)(code->count - i - 1);

		if (code->at[i].jt == WHEN_HOLDS) {
			code->at[i].jt = end;
		}
		if (code->at[i].jf == WHEN_HOLDS) {
			code->at[i].jf = end;
		}
	}
}

size_t comparison_compile(struct sock_filter instructions[COMPARE_INSTRUCTIONS_MAX],
	const struct comparison *comparison, uint64_t width)
{
	struct code code = {.at = instructions};
	enum comparison_operator operator= comparison->operator;
	uint64_t mask = operator== COMPARE_MASKED_EQ ? comparison->mask & width : width;
	uint64_t value = value_in_width(comparison->value, width);
	uint32_t upper_mask = (uint32_t)(mask >> 32), upper = (uint32_t)(value >> 32);
	unsigned int yes = makings[operator].negated ? COMPARE_FAILS : WHEN_HOLDS;
	unsigned int no = makings[operator].negated ? WHEN_HOLDS : COMPARE_FAILS;

	if (upper_mask) {
		add_load(&code, comparison->argument, true, upper_mask);
		if (makings[operator].is_ordering) {
			add(&code, BPF_JMP | BPF_JGT | BPF_K, upper, yes, GO_ON);
		}
		add(&code, BPF_JMP | BPF_JEQ | BPF_K, upper, (uint32_t)mask ? GO_ON : yes, no);
	}
	if ((uint32_t)mask) {
		add_load(&code, comparison->argument, false, (uint32_t)mask);
		add(&code, (uint16_t)(BPF_JMP | makings[operator].jump | BPF_K), (uint32_t)value,
			yes, no);
	}
	settle(&code);
	return code.count;
}
