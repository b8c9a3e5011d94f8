/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random [syscalls], random calls: the filter must answer as the rules read one after the other do
 * (policy_decide_syscall), with the mediation of the other sections behind what they allow. Half of
 * the calls are aimed at the values that the rules speak of and at their neighbours. A failure
 * tells its seed; a seed as argument runs that one alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter.h"
#include "daemon/policy/syscall_arguments.h"
#include "daemon/policy/syscall_decide.h"
#include "tests/unit/policy_text.h"
#include "usher/wire.h"

#define ROUNDS 200
#define ASKED  1500

static uint64_t state_of_chance = 1;

/* xorshift: the same everywhere, as a seed that only fails elsewhere helps nobody. */
static uint64_t chance(void)
{
	state_of_chance ^= state_of_chance << 13;
	state_of_chance ^= state_of_chance >> 7;
	state_of_chance ^= state_of_chance << 17;
	return state_of_chance;
}

static unsigned int below(unsigned int limit)
{
	return (unsigned int)(chance() >> 33) % limit;
}

/* Calls that are mediated and calls that are not, with arguments of all widths. */
static const struct {
	const char *name;
	int nr;
} calls[] = {
	{"ioctl", SCMP_SYS(ioctl)},
	{"mmap", SCMP_SYS(mmap)},
	{"openat", SCMP_SYS(openat)},
	{"socket", SCMP_SYS(socket)},
	{"clone", SCMP_SYS(clone)},
	{"prctl", SCMP_SYS(prctl)},
	{"unshare", SCMP_SYS(unshare)},
	{"personality", SCMP_SYS(personality)},
	{"fchmod", SCMP_SYS(fchmod)},
	{"seccomp", SCMP_SYS(seccomp)},
};

static uint64_t pool[8];

static uint64_t any_value(void)
{
	switch (below(4)) {
	case 0:
		return below(16);
	case 1:
		return pool[below(array_length(pool))];
	case 2:
		return pool[below(array_length(pool))] + below(3) - 1;
	default:
		return chance() >> below(64);
	}
}

static void add(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void add(char *text, size_t size, const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	assert_true(
		vsnprintf(text + length, size - length, format, arguments) < (int)(size - length));
	va_end(arguments);
}

static void add_comparison(char *text, size_t size, int nr)
{
	static const char *const operators[] = {"==", "!=", "<", "<=", ">", ">=", "=="};
	unsigned int argument = below(syscall_argument_count(nr));
	uint64_t width = syscall_width(nr, argument);
	uint64_t mask = (any_value() | 1ull << below(16)) & width;

	if (syscall_argument_is_pointer(nr, argument)) {
		add(text, size, "arg%u %s 0", argument, below(2) ? "==" : "!=");
	} else if (below(3) == 0) {
		add(text, size, "arg%u & 0x%" PRIx64 " == 0x%" PRIx64, argument, mask,
			any_value() & mask);
	} else {
		add(text, size, "arg%u %s 0x%" PRIx64, argument,
			operators[below(array_length(operators))], any_value() & width);
	}
}

static void add_subject(char *text, size_t size)
{
	size_t call = below(array_length(calls));
	unsigned int count = below(4);

	if (below(8) == 0) {
		add(text, size, "@process");
		return;
	}
	add(text, size, "%s", calls[call].name);
	for (unsigned int i = 0; i < count; i++) {
		add(text, size, i ? ", " : "(");
		add_comparison(text, size, calls[call].nr);
	}
	add(text, size, count ? ")" : "");
}

static void add_syscalls(char *text, size_t size)
{
	static const char *const actions[] = {"allow", "deny EPERM", "deny EIO", "kill"};
	unsigned int count = 1 + below(8);

	add(text, size, "[syscalls]\n");
	for (unsigned int i = 0; i < count; i++) {
		add(text, size, "%s =\n\t", actions[below(array_length(actions))]);
		add_subject(text, size);
		if (below(2)) {
			add(text, size, "\n\t");
			add_subject(text, size);
		}
		add(text, size, "\n");
	}
	add(text, size, "default = %s\n", actions[below(array_length(actions))]);
}

static const char *const mediations[] = {
	"",
	"[files]\ndefault = deny\n",
	"[files]\ndefault = allow\ndeny write = /x\n[network]\ndefault = deny\n",
	"[sockets]\nallow = unix inet/stream\ninject = inet6\ndefault = deny EAFNOSUPPORT\n",
	"[files]\ndeny read = /x\ndefault = allow\n[sockets]\ndeny = netlink\ndefault = allow\n",
};

struct answer {
	enum filter_answer answer;
	int error;
};

static struct answer evaluate(const struct filter *filter, int nr, const unsigned long long args[6])
{
	struct answer answer;

	answer.answer = filter_evaluate(filter, AUDIT_ARCH_X86_64, nr, args, &answer.error);
	return answer;
}

/* What is meant: the rules, and behind what they allow the answer of a filter without them. */
static struct answer expected_answer(const struct policy *policy, const struct filter *mediation,
	int nr, const unsigned long long args[6])
{
	struct policy_verdict verdict = policy_decide_syscall(policy, nr, args);

	if (nr == SCMP_SYS(seccomp) && (uint32_t)args[0] == WIRE_PROBE_OPERATION) {
		return (struct answer){FILTER_NOTIFY, 0};
	}
	switch (verdict.action) {
	case POLICY_DENY:
		return (struct answer){FILTER_ERRNO, verdict.error};
	case POLICY_KILL:
		return (struct answer){FILTER_KILL, 0};
	default:
		return evaluate(mediation, nr, args);
	}
}

static int aim(const struct policy *policy, unsigned long long args[6])
{
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, POLICY_SYSCALLS, &count);
	const struct policy_rule *rule = &rules[below((unsigned int)count - 1)];
	const struct syscall_subject *subject =
		&rule->subjects[below((unsigned int)rule->subject_count)].syscall;

	for (size_t i = 0; i < subject->comparison_count; i++) {
		const struct comparison *comparison = &subject->comparisons[i];
		uint64_t free_bits =
			comparison->operator== COMPARE_MASKED_EQ ? ~comparison->mask : 0;

		args[comparison->argument] = comparison->value | (chance() & free_bits);
		args[comparison->argument] += below(4) ? 0 : below(3) - 1ull;
	}
	if (below(4) == 0) {
		args[below(6)] ^= 1ull << below(64);
	}
	return subject->numbers[below((unsigned int)subject->number_count)];
}

static void check_calls(const struct policy *policy, const struct filter *filter,
	const struct filter *mediation, uint64_t seed)
{
	for (unsigned int i = 0; i < ASKED; i++) {
		unsigned long long args[6];
		int nr = below(8) ? calls[below(array_length(calls))].nr : (int)below(500);
		struct answer expected, got;

		for (size_t k = 0; k < 6; k++) {
			args[k] = any_value();
		}
		if (below(2)) {
			nr = aim(policy, args);
		}
		expected = expected_answer(policy, mediation, nr, args);
		got = evaluate(filter, nr, args);
		if (got.answer != expected.answer || got.error != expected.error) {
			fail_msg("seed %" PRIu64 ": call %d(%llx, %llx, %llx, %llx, %llx, %llx): "
				 "%d %d instead of %d %d",
				seed, nr, args[0], args[1], args[2], args[3], args[4], args[5],
				got.answer, got.error, expected.answer, expected.error);
		}
	}
}

static void check_seed(uint64_t seed)
{
	const struct filter_options options = {.targets_are_root = seed % 2};
	cleanup_policy struct policy *policy = NULL;
	cleanup_policy struct policy *without = NULL;
	struct filter filter, mediation;
	char text[8192] = "";

	state_of_chance = seed * 0x9e3779b97f4a7c15ull + 1;
	for (size_t i = 0; i < array_length(pool); i++) {
		pool[i] = chance() >> below(64);
	}
	add(text, sizeof(text), "%s", mediations[below(array_length(mediations))]);
	without = policy_text(text);
	add_syscalls(text, sizeof(text));
	policy = policy_text(text);
	assert_int_equal(filter_compile(&filter, policy, &options), 0);
	assert_int_equal(filter_compile(&mediation, without, &options), 0);
	check_calls(policy, &filter, &mediation, seed);
	filter_finish(&mediation);
	filter_finish(&filter);
}

static uint64_t first_seed = 1;
static uint64_t rounds = ROUNDS;

static void the_first_rule_that_matches_decides(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < rounds; i++) {
		check_seed(first_seed + i);
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_rule_that_matches_decides),
	};

	if (argc > 1) {
		first_seed = strtoull(argv[1], NULL, 10);
		rounds = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	policy_text_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
