/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every system call is accounted for: the table against the names that libseccomp knows, against
 * the numbers that the running kernel answers, against what filters really do with each call, and
 * against what the broker can decode.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/path_call.h"
#include "daemon/policy/filter.h"
#include "daemon/policy/syscall_account.h"
#include "daemon/policy/syscall_names.h"
#include "tests/unit/filter_text.h"
#include "usher/wire.h"

#define ALL   "[files]\ndefault = deny\ndeny all = /x\ndeny metadata stat = /y\n"
#define NET   "[network]\ndefault = deny\n"
#define OPENS "[files]\ndefault = allow\n"

/* What a filter did with a call, with any of the arguments that are tried. */
enum { SAW_ALLOW = 1, SAW_NOTIFY = 2, SAW_ERRNO = 4, SAW_KILL = 8 };

static unsigned int answers(const struct filter *filter, int nr)
{
	static const unsigned long long values[] = {0, 1, 2, 3, IP_OPTIONS, _IO(0x94, 1), 0x40,
		0x200, 0x200000, 0x410000, PTRACE_ATTACH, PTRACE_SEIZE, PR_CAPBSET_DROP,
		PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_SET_DUMPABLE, CLONE_NEWNS, CLONE_NEWUSER,
		CLONE_NEWNET, MSG_FASTOPEN, 0xffffffff, WIRE_PROBE_OPERATION, 0x100000000, ~0ull};
	static const unsigned int bits[] = {[FILTER_ALLOW] = SAW_ALLOW,
		[FILTER_NOTIFY] = SAW_NOTIFY,
		[FILTER_ERRNO] = SAW_ERRNO,
		[FILTER_KILL] = SAW_KILL};
	unsigned int saw = 0;

	for (size_t i = 0; i < array_length(values); i++) {
		for (unsigned int set = 0; set < 64; set++) {
			unsigned long long args[6];
			int error;

			for (unsigned int k = 0; k < 6; k++) {
				args[k] = set & (1u << k) ? values[i] : 0;
			}
			saw |= bits[filter_evaluate(
				filter, seccomp_arch_native(), nr, args, &error)];
		}
	}
	return saw;
}

static const char *name_of(int nr)
{
	static char name[SYSCALL_NAME_MAX];

	if (!syscall_name(nr, name, sizeof(name))) {
		snprintf(name, sizeof(name), "%d", nr);
	}
	return name;
}

/* Says which call it is about. */
static void expect(bool holds, int nr, const char *what)
{
	if (!holds) {
		fail_msg("%s (%d): %s", name_of(nr), nr, what);
	}
}

static void every_name_of_libseccomp_is_in_it(void **state)
{
	size_t count = 0;

	(void)state;
	for (int nr = 0; nr < SYSCALL_NUMBERS; nr++) {
		cleanup_free char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

		expect(!name || syscall_account(nr), nr, "libseccomp knows it, the table does not");
		count += name != NULL;
	}
	assert_true(count > 300);
	assert_null(syscall_account(-1));
	assert_null(syscall_account(SYSCALL_NUMBERS));
}

static void every_call_in_it_has_a_name_and_a_reason(void **state)
{
	char name[SYSCALL_NAME_MAX];
	size_t count = 0;

	(void)state;
	for (int nr = 0; nr < SYSCALL_NUMBERS; nr++) {
		const struct syscall_account *account = syscall_account(nr);

		if (account) {
			expect(syscall_name(nr, name, sizeof(name)), nr, "it has no name");
			assert_int_equal(syscall_number(name), nr);
			assert_true(strlen(account_text(account->reason)) > 0);
			count++;
		}
	}
	print_message("# %zu calls are accounted for\n", count);
}

/* True if the kernel has a call of this number; tried where it can do no harm. */
static bool kernel_has(int nr)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		_exit(syscall(nr, 0, 0, 0, 0, 0, 0) == -1 && errno == ENOSYS ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status != 0;
}

static void the_kernel_has_no_call_that_is_not_in_it(void **state)
{
	(void)state;
	assert_true(kernel_has(SYS_getppid));
	for (int nr = 0; nr < SYSCALL_NUMBERS; nr++) {
		if (!syscall_account(nr)) {
			expect(!kernel_has(nr), nr,
				"this kernel has it: judge it, and put it into the table");
		}
	}
}

static void check_kind(int nr, enum account_reason reason, unsigned int saw)
{
	switch (account_kind(reason)) {
	case ACCOUNT_HARMLESS:
		expect(!(saw & SAW_NOTIFY), nr, "it is notified, and not said to be mediated");
		break;
	case ACCOUNT_REFUSED:
		expect(saw & SAW_ERRNO, nr, "it is said to be refused, and is not");
		break;
	case ACCOUNT_WATCHED:
		expect(saw & SAW_NOTIFY, nr, "it is said to be watched, and is not");
		break;
	case ACCOUNT_MEDIATED:
		expect(reason == MEDIATED_PROGRAM || saw & (SAW_NOTIFY | SAW_ERRNO), nr,
			"it is said to be mediated, and passes");
		expect(reason != MEDIATED_PATH || !(saw & SAW_ERRNO), nr,
			"it is said to be mediated, and is refused");
		break;
	}
	expect(account_kind(reason) != ACCOUNT_HARMLESS || saw == SAW_ALLOW, nr,
		"it is said to be harmless, and is not always allowed");
}

static void filters_do_what_it_says(void **state)
{
	struct filter filter = filter_of("[policy]\nnet = broker\n" ALL NET
					 "[sockets]\ndefault = allow\ndeny = inet/dgram\n",
		true);

	(void)state;
	for (int nr = 0; nr < SYSCALL_NUMBERS; nr++) {
		const struct syscall_account *account = syscall_account(nr);

		if (account) {
			check_kind(nr, account->reason, answers(&filter, nr));
		}
	}
	filter_finish(&filter);
}

/* For targets that are not root, some of what is watched need not be: nothing else differs. */
static void filters_of_users_let_the_harmless_pass(void **state)
{
	struct filter filter = filter_of(ALL NET, false);

	(void)state;
	for (int nr = 0; nr < SYSCALL_NUMBERS; nr++) {
		const struct syscall_account *account = syscall_account(nr);

		if (account && account_kind(account->reason) == ACCOUNT_HARMLESS) {
			expect(answers(&filter, nr) == SAW_ALLOW, nr, "it is not always allowed");
		}
	}
	filter_finish(&filter);
}

static void each_operation_brings_its_calls(void **state)
{
	static const struct {
		unsigned int operation;
		const char *text;
	} cases[] = {
		{OPERATION_READ, OPENS "deny read = /x\n"},
		{OPERATION_WRITE, OPENS "deny write = /x\n"},
		{OPERATION_CREATE, OPENS "deny create = /x\n"},
		{OPERATION_REMOVE, OPENS "deny remove = /x\n"},
		{OPERATION_METADATA, OPENS "deny metadata = /x\n"},
		{OPERATION_STAT, OPENS "deny stat = /x\n"},
		{OPERATION_CONNECT, "[network]\ndefault = allow\ndeny connect = tcp *:1\n"},
		{OPERATION_EXECUTE, OPENS "deny execute = /x\n"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		struct filter filter = filter_of(cases[i].text, false);

		for (int nr = 0; nr < SYSCALL_NUMBERS; nr++) {
			const struct syscall_account *account = syscall_account(nr);
			bool is_brokered = account && (account->reason == MEDIATED_PATH ||
							      account->reason == MEDIATED_ADDRESS);

			if (is_brokered) {
				bool notified = answers(&filter, nr) & SAW_NOTIFY;
				bool said = account->operations & cases[i].operation;

				expect(notified || !said, nr, cases[i].text);
				expect(said || !notified, nr, cases[i].text);
			}
		}
		filter_finish(&filter);
	}
}

/* What the filter sends to the broker by a path, the broker takes for the same operations. */
static void the_broker_knows_what_takes_a_path(void **state)
{
	size_t count = 0;

	(void)state;
	for (int nr = 0; nr < SYSCALL_NUMBERS; nr++) {
		const struct syscall_account *account = syscall_account(nr);
		const struct path_call *call = path_call_find(nr);
		bool is_path = account && account->reason == MEDIATED_PATH;

		if (call) {
			unsigned int operations = call->operations | call->operations_second;

			expect(is_path, nr, "the broker decodes it, and the table has no path");
			expect((operations & ~account->operations) == 0, nr,
				"the broker asks for operations that the table does not have");
			count++;
		} else if (is_path) {
			expect(account->operations == (OPERATIONS_OPEN | OPERATION_STAT) ||
					nr == SCMP_SYS(creat),
				nr, "the broker cannot decode it");
		}
	}
	assert_true(count > 40);
}

static void what_is_not_in_it_does_not_exist(void **state)
{
	static const struct {
		const char *text;
		unsigned int expected;
	} cases[] = {
		{ALL, SAW_ERRNO},
		{NET, SAW_ERRNO},
		{"[syscalls]\ndefault = allow\n", SAW_ALLOW},
		{"[sockets]\ndefault = deny\n", SAW_ALLOW},
		{ALL "[syscalls]\ndefault = kill\nallow = execve futex\n", SAW_KILL},
	};
	static const int beyond[] = {SYSCALL_NUMBERS, SYSCALL_NUMBERS + 1, 4096, 0x3fffffff};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		struct filter filter = filter_of(cases[i].text, true);

		for (int nr = 0; nr < SYSCALL_NUMBERS; nr++) {
			expect(syscall_account(nr) || answers(&filter, nr) == cases[i].expected, nr,
				cases[i].text);
		}
		for (size_t k = 0; k < array_length(beyond); k++) {
			expect(answers(&filter, beyond[k]) == cases[i].expected, beyond[k],
				cases[i].text);
		}
		filter_finish(&filter);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_of_libseccomp_is_in_it),
		cmocka_unit_test(every_call_in_it_has_a_name_and_a_reason),
		cmocka_unit_test(the_kernel_has_no_call_that_is_not_in_it),
		cmocka_unit_test(filters_do_what_it_says),
		cmocka_unit_test(filters_of_users_let_the_harmless_pass),
		cmocka_unit_test(each_operation_brings_its_calls),
		cmocka_unit_test(the_broker_knows_what_takes_a_path),
		cmocka_unit_test(what_is_not_in_it_does_not_exist),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	policy_text_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
