/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subjects of [syscalls]: what is right means what it says, what is wrong is told at its place; the
 * groups have the calls that systemd gives them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/syscall_arguments.h"
#include "daemon/policy/syscall_constants.h"
#include "daemon/policy/syscall_groups.h"
#include "daemon/policy/syscall_names.h"
#include "daemon/policy/syscall_subject.h"

static struct syscall_subject parse(const char *text)
{
	struct syscall_subject subject;
	struct syscall_parse_error error = {0};

	if (syscall_subject_parse(text, &subject, &error)) {
		fail_msg("%s: %s", text, error.text);
	}
	return subject;
}

static void names_stand_for_their_numbers(void **state)
{
	struct syscall_subject ptrace = parse("ptrace"), foreign = parse("chown32"),
			       young = parse("mseal");

	(void)state;
	assert_string_equal(ptrace.name, "ptrace");
	assert_int_equal(ptrace.number_count, 1);
	assert_int_equal(ptrace.numbers[0], SCMP_SYS(ptrace));
	assert_int_equal(ptrace.comparison_count, 0);
	assert_true(foreign.numbers[0] < SYSCALL_UNKNOWN);
	assert_int_equal(young.numbers[0], 462);
	syscall_subject_finish(&ptrace);
	syscall_subject_finish(&foreign);
	syscall_subject_finish(&young);
}

static const struct {
	const char *text;
	struct comparison comparison; /* the last one */
	size_t count;
} comparisons[] = {
	{"ioctl(arg1 == TIOCSTI)", {1, COMPARE_EQ, 0, TIOCSTI}, 1},
	{"ioctl( arg1==0x5412 )", {1, COMPARE_EQ, 0, TIOCSTI}, 1},
	{"fchmod(arg1 & 06000 == 04000)", {1, COMPARE_MASKED_EQ, 06000, 04000}, 1},
	{"kill(arg0 == -1, arg1 != 9)", {1, COMPARE_NE, 0, 9}, 2},
	{"kill(arg0 == -1)", {0, COMPARE_EQ, 0, UINT64_MAX}, 1},
	{"openat(arg0 == AT_FDCWD)", {0, COMPARE_EQ, 0, (uint64_t)AT_FDCWD}, 1},
	{"mmap(arg1 >= 4096, arg1 < 1048576)", {1, COMPARE_LT, 0, 1048576}, 2},
	{"mmap(arg1 <= 18446744073709551615)", {1, COMPARE_LE, 0, UINT64_MAX}, 1},
	{"mmap(arg1 > 1)", {1, COMPARE_GT, 0, 1}, 1},
	{"unshare(arg0 & CLONE_NEWNS | CLONE_NEWUSER == CLONE_NEWUSER)",
		{0, COMPARE_MASKED_EQ, CLONE_NEWNS | CLONE_NEWUSER, CLONE_NEWUSER}, 1},
	{"execve(arg1 == 0)", {1, COMPARE_EQ, 0, 0}, 1},
};

static void comparisons_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(comparisons); i++) {
		const struct comparison *expected = &comparisons[i].comparison;
		struct syscall_subject subject = parse(comparisons[i].text);
		const struct comparison *last = &subject.comparisons[subject.comparison_count - 1];

		assert_int_equal(subject.comparison_count, comparisons[i].count);
		assert_int_equal(last->argument, expected->argument);
		assert_int_equal(last->operator, expected->operator);
		assert_int_equal(last->mask, expected->mask);
		assert_int_equal(last->value, expected->value);
		syscall_subject_finish(&subject);
	}
}

static const struct {
	const char *text;
	size_t offset;
	const char *message;
} mistakes[] = {
	{"", 0, "expected a system call or a @group, found the end"},
	{"@", 1, "expected a system call or a @group, found the end"},
	{"ptrce", 0, "unknown system call 'ptrce'; did you mean 'ptrace'?"},
	{"qqqqqqqqqqqq", 0, "unknown system call 'qqqqqqqqqqqq'"},
	{"@monut", 0, "unknown group of system calls '@monut'; did you mean '@mount'?"},
	{"@mount(arg0 == 1)", 6,
		"the calls of a group have different arguments: name the call to compare them"},
	{"ioctl(arg1 == TIOCST)", 14, "unknown constant 'TIOCST'; did you mean 'TIOCSTI'?"},
	{"ioctl(arg1 = 3)", 11, "expected one of == != < <= > >= or & MASK ==, found '='"},
	{"ioctl(arg1 & 3 = 1)", 15, "expected == after the mask, found '='"},
	{"ioctl(arg6 == 1)", 6, "expected one of arg0 to arg5, found 'arg6'"},
	{"ioctl(arg3 == 1)", 6, "ioctl has 3 arguments, counted from arg0"},
	{"getpid(arg0 == 1)", 7, "getpid has 0 arguments, counted from arg0"},
	{"ioctl()", 6, "expected one of arg0 to arg5, found ')'"},
	{"ioctl(arg1 == 1", 15, "expected ',' or ')', found the end"},
	{"ioctl(arg1 == 1) x", 17, "expected the end of the subject, found 'x'"},
	{"ioctl(arg1 == 09)", 14, "'09' is not a number"},
	{"ioctl(arg1 == 1x)", 14, "'1x' is not a number"},
	{"mmap(arg1 == 99999999999999999999)", 13,
		"'99999999999999999999' is more than 64 bits hold"},
	{"ioctl(arg1 == 0x100000000)", 6, "the kernel looks at 32 bits of arg1 of ioctl"},
	{"fchmod(arg1 == 0x10000)", 7, "the kernel looks at 16 bits of arg1 of fchmod"},
	{"openat(arg2 & 1 == 2)", 7,
		"the comparison can never hold: the value has bits that the mask lacks"},
	{"openat(arg1 == 5)", 7,
		"arg1 of openat is a pointer: it can be compared with 0 only, and what it points "
		"to "
		"not at all"},
	{"mmap(arg0==1,arg0==1,arg0==1,arg0==1,arg0==1,arg0==1,arg0==1)", 53,
		"more than 6 comparisons"},
};

static void mistakes_are_told_at_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(mistakes); i++) {
		struct syscall_subject subject;
		struct syscall_parse_error error = {0};

		assert_int_equal(
			syscall_subject_parse(mistakes[i].text, &subject, &error), -EINVAL);
		assert_string_equal(error.text, mistakes[i].message);
		assert_int_equal(error.offset, mistakes[i].offset);
	}
}

static bool has(const int *numbers, size_t count, int nr)
{
	for (size_t i = 0; i < count; i++) {
		if (numbers[i] == nr) {
			return true;
		}
	}
	return false;
}

static void groups_hold_groups_and_each_call_once(void **state)
{
	int *service, *known;
	size_t service_count, known_count;

	(void)state;
	assert_int_equal(syscall_group_numbers("@system-service", &service, &service_count), 0);
	assert_int_equal(syscall_group_numbers("@known", &known, &known_count), 0);
	assert_true(has(service, service_count, SCMP_SYS(read))); /* of @basic-io */
	assert_true(has(service, service_count, SCMP_SYS(ioctl)));
	assert_false(has(service, service_count, SCMP_SYS(mount)));
	assert_true(known_count > service_count);
	for (size_t i = 0; i < service_count; i++) {
		assert_true(i == 0 || service[i] > service[i - 1]);
		assert_true(has(known, known_count, service[i]));
	}
	assert_int_equal(syscall_group_numbers("@nothing", &known, &known_count), -ENOENT);
	free(service);
	free(known);
}

/* systemd-analyze prints groups with their members indented; other lines are comments. */
static size_t compare_with_systemd(FILE *lines)
{
	char line[256], group[64] = "";
	size_t compared = 0, count = 0;
	int *numbers = NULL;

	while (fgets(line, sizeof(line), lines)) {
		char name[64];

		if (line[0] == '@' && sscanf(line, "%63s", group) == 1) {
			free(numbers);
			numbers = NULL;
			assert_int_equal(syscall_group_numbers(group, &numbers, &count), 0);
		} else if (strchr(line, '#')) {
			continue;
		} else if (numbers && sscanf(line, " %63s", name) == 1 && name[0] != '@') {
			int nr = syscall_number(name);

			if (nr >= 0 && !has(numbers, count, nr)) {
				fail_msg("%s lacks %s", group, name);
			}
			compared += nr >= 0;
		}
	}
	free(numbers);
	return compared;
}

static void groups_are_those_of_systemd(void **state)
{
	FILE *lines = popen("LC_ALL=C systemd-analyze --no-pager syscall-filter 2>/dev/null", "r");
	size_t compared;

	(void)state;
	assert_non_null(lines);
	compared = compare_with_systemd(lines);
	if (pclose(lines)) {
		print_message("systemd-analyze is not here\n");
		skip();
	}
	assert_true(compared > 500);
}

/* Every name that is offered as a hint is one that would be understood. */
static void constants_are_found_whole(void **state)
{
	uint64_t value;

	(void)state;
	assert_true(syscall_constant("CLONE_NEWUSER", 13, &value));
	assert_int_equal(value, CLONE_NEWUSER);
	assert_false(syscall_constant("CLONE_NEWUSER", 12, &value));
	assert_false(syscall_constant("CLONE_NEWUSER2", 14, &value));
	assert_false(syscall_constant("", 0, &value));
}

static void arguments_have_the_width_that_the_kernel_sees(void **state)
{
	(void)state;
	assert_int_equal(syscall_width(SCMP_SYS(ioctl), 1), UINT32_MAX);
	assert_int_equal(syscall_width(SCMP_SYS(ioctl), 2), UINT64_MAX);
	assert_int_equal(syscall_width(SCMP_SYS(mmap), 1), UINT64_MAX);
	assert_int_equal(syscall_width(SCMP_SYS(chmod), 1), UINT16_MAX);
	assert_int_equal(syscall_width(1000, 0), UINT64_MAX);
	assert_true(syscall_argument_is_pointer(SCMP_SYS(openat), 1));
	assert_false(syscall_argument_is_pointer(SCMP_SYS(openat), 2));
	assert_int_equal(syscall_argument_count(SCMP_SYS(openat)), 4);
	assert_int_equal(syscall_argument_count(1000), SYSCALL_ARGUMENTS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_stand_for_their_numbers),
		cmocka_unit_test(comparisons_are_read),
		cmocka_unit_test(mistakes_are_told_at_their_place),
		cmocka_unit_test(groups_hold_groups_and_each_call_once),
		cmocka_unit_test(groups_are_those_of_systemd),
		cmocka_unit_test(constants_are_found_whole),
		cmocka_unit_test(arguments_have_the_width_that_the_kernel_sees),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
