/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter run as the kernel runs it: the classic BPF that seccomp(2) admits, over one
 * seccomp_data. A program that the kernel would not have loaded (a bad instruction, a jump out of
 * it, a read that is not aligned) kills, as nothing that was not foreseen may let a call through.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>

#include "daemon/policy/filter.h"

struct machine {
	const struct seccomp_data *data;
	uint32_t a, x;
	uint32_t memory[BPF_MEMWORDS];
	size_t at;       /* the next instruction */
	uint32_t action; /* when it has returned */
};

enum step { STEP_ON, STEP_RETURNED, STEP_BAD };

static enum step load(struct machine *machine, const struct sock_filter *instruction)
{
	uint32_t *to = BPF_CLASS(instruction->code) == BPF_LD ? &machine->a : &machine->x;

	switch (BPF_MODE(instruction->code)) {
	case BPF_IMM:
		*to = instruction->k;
		return STEP_ON;
	case BPF_LEN:
		*to = sizeof(*machine->data);
		return STEP_ON;
	case BPF_MEM:
		if (instruction->k >= BPF_MEMWORDS) {
			return STEP_BAD;
		}
		*to = machine->memory[instruction->k];
		return STEP_ON;
	case BPF_ABS:
		if (to != &machine->a || instruction->k % 4 ||
			instruction->k > sizeof(*machine->data) - 4) {
			return STEP_BAD;
		}
		memcpy(to, (const char *)machine->data + instruction->k, sizeof(*to));
		return STEP_ON;
	default:
		return STEP_BAD;
	}
}

static enum step store(struct machine *machine, const struct sock_filter *instruction)
{
	if (instruction->k >= BPF_MEMWORDS) {
		return STEP_BAD;
	}
	machine->memory[instruction->k] =
		BPF_CLASS(instruction->code) == BPF_ST ? machine->a : machine->x;
	return STEP_ON;
}

static uint32_t operand(const struct machine *machine, const struct sock_filter *instruction)
{
	return BPF_SRC(instruction->code) == BPF_X ? machine->x : instruction->k;
}

static enum step calculate(struct machine *machine, const struct sock_filter *instruction)
{
	uint32_t by = operand(machine, instruction);

	switch (BPF_OP(instruction->code)) {
	case BPF_ADD:
		machine->a += by;
		return STEP_ON;
	case BPF_SUB:
		machine->a -= by;
		return STEP_ON;
	case BPF_MUL:
		machine->a *= by;
		return STEP_ON;
	case BPF_DIV:
		machine->a = by ? machine->a / by : 0;
		return by ? STEP_ON : STEP_BAD;
	case BPF_OR:
		machine->a |= by;
		return STEP_ON;
	case BPF_AND:
		machine->a &= by;
		return STEP_ON;
	case BPF_XOR:
		machine->a ^= by;
		return STEP_ON;
	case BPF_LSH:
		machine->a <<= by & 31;
		return STEP_ON;
	case BPF_RSH:
		machine->a >>= by & 31;
		return STEP_ON;
	case BPF_NEG:
		machine->a = -machine->a;
		return STEP_ON;
	default:
		return STEP_BAD;
	}
}

static enum step jump(struct machine *machine, const struct sock_filter *instruction)
{
	uint32_t by = operand(machine, instruction);
	bool holds;

	switch (BPF_OP(instruction->code)) {
	case BPF_JA:
		machine->at += instruction->k;
		return STEP_ON;
	case BPF_JEQ:
		holds = machine->a == by;
		break;
	case BPF_JGT:
		holds = machine->a > by;
		break;
	case BPF_JGE:
		holds = machine->a >= by;
		break;
	case BPF_JSET:
		holds = machine->a & by;
		break;
	default:
		return STEP_BAD;
	}
	machine->at += holds ? instruction->jt : instruction->jf;
	return STEP_ON;
}

static enum step return_action(struct machine *machine, const struct sock_filter *instruction)
{
	machine->action = BPF_RVAL(instruction->code) == BPF_A ? machine->a : instruction->k;
	return STEP_RETURNED;
}

static enum step transfer(struct machine *machine, const struct sock_filter *instruction)
{
	if (BPF_MISCOP(instruction->code) == BPF_TAX) {
		machine->x = machine->a;
	} else {
		machine->a = machine->x;
	}
	return STEP_ON;
}

static enum step (*const classes[])(struct machine *, const struct sock_filter *) = {
	[BPF_LD] = load,
	[BPF_LDX] = load,
	[BPF_ST] = store,
	[BPF_STX] = store,
	[BPF_ALU] = calculate,
	[BPF_JMP] = jump,
	[BPF_RET] = return_action,
	[BPF_MISC] = transfer,
};

static enum filter_answer answer_of(uint32_t action, int *errorp)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return FILTER_ALLOW;
	case SECCOMP_RET_USER_NOTIF:
		return FILTER_NOTIFY;
	case SECCOMP_RET_ERRNO:
		*errorp = (int)(action & SECCOMP_RET_DATA);
		return FILTER_ERRNO;
	default:
		return FILTER_KILL;
	}
}

enum filter_answer filter_evaluate(const struct filter *filter, unsigned int arch, int nr,
	const unsigned long long args[6], int *errorp)
{
	struct seccomp_data data = {.nr = nr, .arch = arch};
	struct machine machine = {.data = &data};

	*errorp = 0;
	for (size_t i = 0; i < 6; i++) {
		data.args[i] = args[i];
	}
	while (machine.at < filter->count) {
		const struct sock_filter *instruction = &filter->instructions[machine.at++];

		switch (classes[BPF_CLASS(instruction->code)](&machine, instruction)) {
		case STEP_ON:
			break;
		case STEP_RETURNED:
			return answer_of(machine.action, errorp);
		case STEP_BAD:
			return FILTER_KILL;
		}
	}
	return FILTER_KILL;
}
