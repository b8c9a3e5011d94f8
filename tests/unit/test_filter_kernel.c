/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters loaded into a real process: that the kernel takes them, does what filter_evaluate says,
 * and that other calling conventions, rubbish in upper halves and prctl do not walk around them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter.h"
#include "tests/unit/filter_text.h"

#define X32_BIT 0x40000000L

static bool load(const struct filter *filter, unsigned int flags)
{
	struct sock_fprog program = {
		.len = (unsigned short)filter->count, .filter = filter->instructions};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) >= 0;
}

/* Runs `in_child` in a child under the filter; its exit status, or -SIGNAL. */
static int run_under(const char *text, unsigned int flags, int (*in_child)(void))
{
	struct filter filter = filter_of(text, false);
	int status;
	pid_t child = fork();

	if (child == 0) {
		_exit(load(&filter, flags) ? in_child() : 99);
	}
	filter_finish(&filter);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* What a raw call gives: 0, or its errno. */
static int outcome(long result)
{
	return result < 0 ? errno : 0;
}

static int getpid_of_i386(void)
{
	long result = 0;

#ifdef __x86_64__
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "cc");
#endif
	return result < 0 ? (int)-result : 0;
}

static int getpid_of_x32(void)
{
	return outcome(syscall(X32_BIT | SYS_getpid));
}

static int getpid_of_us(void)
{
	return outcome(syscall(SYS_getpid));
}

static void other_calling_conventions_get_enosys(void **state)
{
	static const char text[] = "[syscalls]\ndefault = allow\n";

	(void)state;
	assert_int_equal(run_under(text, 0, getpid_of_us), 0);
	assert_int_equal(run_under(text, 0, getpid_of_i386), ENOSYS);
	assert_int_equal(run_under(text, 0, getpid_of_x32), ENOSYS);
}

static int ioctl_with_rubbish_above(void)
{
	return outcome(syscall(SYS_ioctl, -1, 0x100005412L, 0));
}

static int ioctl_other(void)
{
	return outcome(syscall(SYS_ioctl, -1, 0x5413L, 0));
}

static int chmod_with_rubbish_above(void)
{
	return outcome(syscall(SYS_fchmod, -1, 0x12340000L | 04755));
}

static void upper_halves_hide_nothing(void **state)
{
	static const char text[] = "[syscalls]\n"
				   "deny EXDEV = ioctl(arg1 == TIOCSTI)\n"
				   "deny EXDEV = fchmod(arg1 & S_ISUID == S_ISUID)\n";

	(void)state;
	assert_int_equal(run_under(text, 0, ioctl_with_rubbish_above), EXDEV);
	assert_int_equal(run_under(text, 0, ioctl_other), EBADF);
	assert_int_equal(run_under(text, 0, chmod_with_rubbish_above), EXDEV);
}

static void kill_kills(void **state)
{
	static const char text[] = "[syscalls]\nkill = ioctl(arg1 == TIOCSTI)\n";

	(void)state;
	assert_int_equal(run_under(text, 0, ioctl_with_rubbish_above), -SIGSYS);
	assert_int_equal(run_under(text, 0, ioctl_other), EBADF);
}

static int stay_dumpable(void)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)) {
		return errno;
	}
	return prctl(PR_GET_DUMPABLE) == 1 ? 0 : 1;
}

static void a_target_stays_readable(void **state)
{
	(void)state;
	assert_int_equal(run_under("[files]\ndefault = deny\n", SECCOMP_FILTER_FLAG_NEW_LISTENER,
				 stay_dumpable),
		0);
	assert_int_equal(run_under("[syscalls]\ndefault = allow\n", 0, stay_dumpable), 1);
}

static int sockets(void)
{
	int inet = outcome(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int alg = outcome(socket(AF_ALG, SOCK_SEQPACKET, 0));
	int pair[2];

	return inet == EAFNOSUPPORT && alg == EAFNOSUPPORT &&
			       !socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair)
		       ? 0
		       : 1;
}

static void sockets_are_decided_in_the_kernel(void **state)
{
	(void)state;
	assert_int_equal(
		run_under("[sockets]\nallow = unix\ndefault = deny EAFNOSUPPORT\n", 0, sockets), 0);
}

static const char agreement_text[] = "[syscalls]\n"
				     "allow = ioctl(arg1 & 0xf0 == 0x30)\n"
				     "deny EXDEV = ioctl(arg1 >= 0x18, arg1 < 0x73, arg2 != 5)\n"
				     "deny EL2HLT = ioctl(arg1 & 3 == 1) ioctl(arg2 > 6)\n"
				     "deny ENOANO = ioctl(arg1 != 0x40)\n";

static struct filter agreement;

static int agree(void)
{
	for (unsigned long request = 0; request < 0x90; request++) {
		for (unsigned long argument = 3; argument < 9; argument++) {
			const unsigned long long args[6] = {UINT64_MAX, request, argument};
			int error;

			if (filter_evaluate(&agreement, AUDIT_ARCH_X86_64, SYS_ioctl, args,
				    &error) == FILTER_ALLOW) {
				error = EBADF;
			}
			if (outcome(syscall(SYS_ioctl, -1L, request, argument)) != error) {
				return 1;
			}
		}
	}
	return 0;
}

static void the_kernel_agrees_with_our_interpreter(void **state)
{
	(void)state;
	agreement = filter_of(agreement_text, false);
	assert_int_equal(run_under(agreement_text, 0, agree), 0);
	filter_finish(&agreement);
}

/* Opens that are not mediated do not wait for anybody: there is nobody to answer. */
static int open_for_reading(void)
{
	return outcome(open("/dev/null", O_RDONLY | O_CLOEXEC)) ||
	       outcome(open("/", O_PATH | O_DIRECTORY)) ||
	       outcome(syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY));
}

static void what_is_not_mediated_is_not_notified(void **state)
{
	(void)state;
	assert_int_equal(run_under("[files]\nallow read = /**\ndefault = deny\n",
				 SECCOMP_FILTER_FLAG_NEW_LISTENER, open_for_reading),
		0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_calling_conventions_get_enosys),
		cmocka_unit_test(upper_halves_hide_nothing),
		cmocka_unit_test(kill_kills),
		cmocka_unit_test(a_target_stays_readable),
		cmocka_unit_test(sockets_are_decided_in_the_kernel),
		cmocka_unit_test(the_kernel_agrees_with_our_interpreter),
		cmocka_unit_test(what_is_not_mediated_is_not_notified),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	policy_text_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
