/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is notified of the calls that a policy speaks of: every combination of flags of an open,
 * connections and messages, changes of place and identity.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/policy/told_options.h"
#include "tests/unit/filter_text.h"

/* Which operations an open asks for, told once more and differently from the filter's table. */
static unsigned int asked_for(unsigned int flags)
{
	static const unsigned int by_mode[] = {OPERATION_READ, OPERATION_WRITE,
		OPERATION_READ | OPERATION_WRITE, OPERATION_READ | OPERATION_WRITE};
	unsigned int operations = by_mode[flags & O_ACCMODE];

	if (flags & O_PATH) {
		return OPERATION_STAT;
	}
	if (flags & O_TRUNC) {
		operations |= OPERATION_WRITE;
	}
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {
		operations |= OPERATION_CREATE;
	}
	return operations;
}

static void check_opens(const struct filter *filter, unsigned int mediated)
{
	static const unsigned int bits[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_PATH, O_DIRECTORY,
		O_TMPFILE & ~O_DIRECTORY, O_APPEND, O_CLOEXEC, O_EXCL};

	for (unsigned int set = 0; set < 1u << array_length(bits); set++) {
		unsigned int flags = 0;
		int expected;

		for (size_t i = 0; i < array_length(bits); i++) {
			flags |= set & (1u << i) ? bits[i] : 0;
		}
		if ((flags & O_TMPFILE) == (O_TMPFILE & ~O_DIRECTORY)) {
			continue; /* EINVAL from the kernel: either answer is right */
		}
		expected = asked_for(flags) & mediated ? NOTIFIED : ALLOWED;
		assert_int_equal(ASK(filter, openat, 0, 0, flags), expected);
		assert_int_equal(ASK(filter, open, 0, RUBBISH | flags), expected);
	}
}

static void opens_are_notified_for_what_is_mediated(void **state)
{
	static const struct {
		unsigned int mediated;
		const char *text;
	} cases[] = {
		{0, "[files]\ndefault = allow\n"},
		{OPERATION_READ, "[files]\ndefault = allow\ndeny read = /x\n"},
		{OPERATION_WRITE, "[files]\ndefault = allow\ndeny write = /x\n"},
		{OPERATION_CREATE, "[files]\ndefault = allow\ndeny create = /x\n"},
		{OPERATION_READ | OPERATION_WRITE,
			"[files]\ndefault = allow\ndeny read write = /x\n"},
		{OPERATION_READ | OPERATION_CREATE,
			"[files]\ndefault = allow\ndeny read create = /x\n"},
		{OPERATION_WRITE | OPERATION_CREATE, "[files]\nallow read = /**\ndefault = deny\n"},
		{OPERATION_READ | OPERATION_WRITE | OPERATION_CREATE, "[files]\ndefault = deny\n"},
		{OPERATION_READ, "[files]\ndefault = allow\ninject read = /x -> /y\n"},
		{OPERATION_STAT, "[files]\ndefault = allow\ndeny stat = /x\n"},
		{OPERATION_READ | OPERATION_STAT,
			"[files]\ndefault = allow\ndeny read stat = /x\n"},
		{OPERATION_READ, "[files]\ndefault = allow\naudit allow read = /x\n"},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		unsigned int mediated = cases[i].mediated;
		struct filter filter = filter_of(cases[i].text, false);

		check_opens(&filter, mediated);
		assert_int_equal(ASK(&filter, openat2, 0), mediated ? NOTIFIED : ALLOWED);
		assert_int_equal(ASK(&filter, creat, 0),
			mediated & (OPERATION_WRITE | OPERATION_CREATE) ? NOTIFIED : ALLOWED);
		filter_finish(&filter);
	}
}

static void what_goes_round_files_is_refused(void **state)
{
	struct filter filter = filter_of("[files]\ndefault = deny\n", false);
	struct filter open_filter = filter_of("[syscalls]\ndefault = allow\n", false);

	(void)state;
	assert_int_equal(ASK(&filter, io_uring_setup, 0), ENOSYS);
	assert_int_equal(ASK(&filter, io_uring_enter, 0), ENOSYS);
	assert_int_equal(ASK(&filter, io_uring_register, 0), ENOSYS);
	assert_int_equal(ASK(&filter, open_by_handle_at, 0), EPERM);
	assert_int_equal(ASK(&filter, pidfd_getfd, 0), EPERM);
	assert_int_equal(ASK(&filter, clone3, 0), ENOSYS);
	assert_int_equal(ASK(&filter, fanotify_init, 0), EPERM);
	assert_int_equal(ASK(&filter, connect, 0), ALLOWED);
	assert_int_equal(ASK(&filter, sendto, 0, 0, 0, MSG_FASTOPEN), ALLOWED);
	assert_int_equal(ASK(&open_filter, io_uring_setup, 0), ALLOWED);
	assert_int_equal(ASK(&open_filter, open_by_handle_at, 0), ALLOWED);
	assert_int_equal(ASK(&open_filter, clone3, 0), ALLOWED);
	filter_finish(&open_filter);
	filter_finish(&filter);
}

static void connections_are_notified(void **state)
{
	struct filter filter = filter_of("[network]\ndefault = deny\n", false);

	(void)state;
	assert_int_equal(ASK(&filter, connect, 0), NOTIFIED);
	assert_int_equal(ASK(&filter, openat, 0), ALLOWED);
	assert_int_equal(ASK(&filter, mount, 0), NOTIFIED); /* a socket's name, too */
	assert_int_equal(ASK(&filter, setns, 0), NOTIFIED);
	assert_int_equal(ASK(&filter, io_uring_setup, 0), ENOSYS);
	filter_finish(&filter);
}

/* An address of sendto(2) is a number; of the others it lies in memory. */
static void messages_are_notified_if_they_can_have_an_address(void **state)
{
	static const struct {
		const char *sockets;
		int expected;
	} cases[] = {
		{"", NOTIFIED},
		{"[sockets]\ndefault = allow\ndeny = inet/dgram\n", NOTIFIED},
		{"[sockets]\ndefault = deny\nallow = inet/stream unix/stream unix/seqpacket\n",
			ALLOWED},
		{"[sockets]\ndefault = deny\nallow = inet/stream unix/dgram\n", NOTIFIED},
		{"[sockets]\ndefault = deny\nallow = inet\n", NOTIFIED},
		{"[sockets]\ndefault = deny\naudit allow = netlink\n", NOTIFIED},
		{"[sockets]\ndefault = deny\ndeny = inet/dgram\n", ALLOWED},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		char text[256];

		snprintf(text, sizeof(text), "[network]\ndefault = deny\n%s", cases[i].sockets);
		struct filter filter = filter_of(text, false);
		assert_int_equal(ASK(&filter, sendmsg, 0), cases[i].expected);
		assert_int_equal(ASK(&filter, sendmmsg, 0), cases[i].expected);
		assert_int_equal(ASK(&filter, sendmsg, 0, 0, RUBBISH | MSG_FASTOPEN), NOTIFIED);
		assert_int_equal(ASK(&filter, sendmmsg, 0, 0, 0, MSG_FASTOPEN), NOTIFIED);
		assert_int_equal(ASK(&filter, sendto, 0, 0, 0, MSG_NOSIGNAL), ALLOWED);
		assert_int_equal(ASK(&filter, sendto, 0, 0, 0, 0, 1), NOTIFIED);
		assert_int_equal(ASK(&filter, sendto, 0, 0, 0, 0, 1ull << 40), NOTIFIED);
		filter_finish(&filter);
	}
}

/* A port by nobody's choice is a bind all the same, of sockets that can get one so. */
static void binding_is_notified(void **state)
{
	static const struct {
		const char *text;
		int bind, listen;
	} cases[] = {
		{"[network]\ndefault = allow\ndeny connect = any\n", ALLOWED, ALLOWED},
		{"[network]\ndefault = allow\ndeny bind = any\n", NOTIFIED, NOTIFIED},
		{"[network]\ndefault = deny\n[sockets]\ndefault = deny\nallow = unix inet/dgram\n",
			NOTIFIED, ALLOWED},
		{"[network]\ndefault = deny\n[sockets]\ndefault = deny\nallow = inet6/stream\n",
			NOTIFIED, NOTIFIED},
		{"[files]\ndefault = allow\ndeny create = /x\n", NOTIFIED, ALLOWED},
		{"[files]\ndefault = allow\ndeny write = /x\n", ALLOWED, ALLOWED},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		struct filter filter = filter_of(cases[i].text, false);

		assert_int_equal(ASK(&filter, bind, 0), cases[i].bind);
		assert_int_equal(ASK(&filter, listen, 0), cases[i].listen);
		filter_finish(&filter);
	}
}

/* What would lead by other hosts than the one that is asked about, or hides addresses in options.
 */
static void roads_round_addresses_are_refused(void **state)
{
	struct filter filter = filter_of("[network]\ndefault = allow\ndeny connect = any\n", false);
	struct filter open_filter = filter_of("[files]\ndefault = deny\n", false);

	(void)state;
	assert_int_equal(ASK(&filter, setsockopt, 3, IPPROTO_IP, IP_OPTIONS, 1, 4), EPERM);
	assert_int_equal(
		ASK(&filter, setsockopt, 3, IPPROTO_IP, RUBBISH | IP_OPTIONS, 1, 4), EPERM);
	assert_int_equal(ASK(&filter, setsockopt, 3, IPPROTO_IP, IP_OPTIONS, 1, RUBBISH), ALLOWED);
	assert_int_equal(ASK(&filter, setsockopt, 3, IPPROTO_IP, IP_TOS, 1, 4), ALLOWED);
	assert_int_equal(ASK(&filter, setsockopt, 3, IPPROTO_IPV6, IPV6_RTHDR, 1, 4), EPERM);
	assert_int_equal(ASK(&filter, setsockopt, 3, IPPROTO_IPV6, 6, 1, 4), EPERM);
	assert_int_equal(ASK(&filter, setsockopt, 3, IPPROTO_IPV6, 32, 1, 33), EPERM);
	assert_int_equal(ASK(&filter, setsockopt, 3, IPPROTO_IPV6, 32, 1, 32), ALLOWED);
	assert_int_equal(ASK(&filter, setsockopt, 3, SOL_SOCKET, IP_OPTIONS, 1, 4), ALLOWED);
	assert_int_equal(ASK(&filter, socket, AF_INET, SOCK_STREAM, IPPROTO_SCTP), EPROTONOSUPPORT);
	assert_int_equal(
		ASK(&filter, socket, AF_INET6, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), ESOCKTNOSUPPORT);
	assert_int_equal(ASK(&filter, socket, AF_INET, SOCK_STREAM, 0), ALLOWED);
	assert_int_equal(ASK(&open_filter, setsockopt, 3, IPPROTO_IP, IP_OPTIONS, 1, 4), ALLOWED);
	assert_int_equal(ASK(&open_filter, socket, AF_INET, SOCK_STREAM, IPPROTO_SCTP), ALLOWED);
	filter_finish(&open_filter);
	filter_finish(&filter);
}

/* Where sockets are exchanged; what is set often, or elsewhere, stays in the kernel. */
static void options_that_are_rare_are_told(void **state)
{
	const struct filter filter = filter_of("[policy]\nnet = broker\n[network]\n", true);
	const struct filter elsewhere = filter_of("[network]\ndefault = deny\n", true);
	size_t count;
	const struct socket_option *options = told_options(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		unsigned int level = (unsigned int)options[i].level;
		unsigned int name = (unsigned int)options[i].name;
		assert_int_equal(
			ASK(&filter, setsockopt, 3, level, RUBBISH | name, 1, 4), NOTIFIED);
		assert_int_equal(ASK(&elsewhere, setsockopt, 3, level, name, 1, 4), ALLOWED);
		assert_int_equal(told_option_bit(options[i].level, options[i].name), 1ull << i);
		if (options[i].other) {
			name = (unsigned int)options[i].other;
			assert_int_equal(ASK(&filter, setsockopt, 3, level, name, 1, 4), NOTIFIED);
			assert_int_equal(
				told_option_bit(options[i].level, options[i].other), 1ull << i);
		}
	}
	assert_int_equal(ASK(&filter, setsockopt, 3, IPPROTO_TCP, TCP_NODELAY, 1, 4), ALLOWED);
	assert_int_equal(ASK(&filter, setsockopt, 3, IPPROTO_TCP, TCP_CORK, 1, 4), ALLOWED);
	assert_int_equal(told_option_bit(IPPROTO_TCP, TCP_CORK), 0);
	assert_int_equal(told_option_bit(SOL_ALG, 1), 0);
	assert_int_equal(ASK(&filter, setsockopt, 3, SOL_ALG, 1, 1, 4), ALLOWED);
	/* Of those that have no bit of their own, also of the next kernel's. */
	assert_int_equal(told_option_bit(SOL_SOCKET, SO_BUSY_POLL), TOLD_OTHERS);
	assert_int_equal(ASK(&filter, setsockopt, 3, SOL_SOCKET, SO_BUSY_POLL, 1, 4), NOTIFIED);
	assert_int_equal(ASK(&filter, setsockopt, 3, IPPROTO_IPV6, 9999, 1, 4), NOTIFIED);
	assert_int_equal(ASK(&filter, setsockopt, 3, IPPROTO_IP, IP_OPTIONS, 1, 4), EPERM);
}

/* Wherever the broker can make a file, also by openat2, whose flags it has to read; else nowhere.
 */
static void the_umask_is_told_where_files_are_made(void **state)
{
	static const struct {
		const char *text;
		long answer;
	} rows[] = {
		{"[files]\ndefault = allow\ndeny EACCES create = /x\n", NOTIFIED},
		{"[files]\ndefault = allow\ndeny EACCES read = /x\n", NOTIFIED},
		{"[files]\ndefault = allow\ndeny EACCES stat = /x\n", NOTIFIED},
		{"[network]\ndefault = allow\ndeny EACCES bind = unix /x\n", NOTIFIED},
		{"[network]\ndefault = allow\ndeny EACCES connect = unix /x\n", ALLOWED},
		{"[files]\ndefault = allow\ndeny EACCES metadata = /x\n", ALLOWED},
	};

	(void)state;
	for (size_t i = 0; i < array_length(rows); i++) {
		struct filter filter = filter_of(rows[i].text, true);
		assert_int_equal(ASK(&filter, umask, 0), rows[i].answer);
		filter_finish(&filter);
	}
}

static void changes_of_place_and_identity_are_notified(void **state)
{
	struct filter root = filter_of("[files]\ndefault = deny\n", true);
	struct filter user = filter_of("[files]\ndefault = deny\n", false);

	(void)state;
	assert_int_equal(ASK(&user, chroot, 0), NOTIFIED);
	assert_int_equal(ASK(&user, setns, 3, CLONE_NEWNET), NOTIFIED);
	assert_int_equal(ASK(&user, setns, 3, CLONE_NEWNS), NOTIFIED);
	assert_int_equal(ASK(&user, setns, 3, RUBBISH), NOTIFIED);
	assert_int_equal(ASK(&root, mount, 0), NOTIFIED);
	assert_int_equal(ASK(&root, open_tree, 0), NOTIFIED);
	assert_int_equal(ASK(&user, unshare, CLONE_NEWNS | CLONE_FS), NOTIFIED);
	assert_int_equal(ASK(&user, unshare, CLONE_NEWUSER), NOTIFIED);
	assert_int_equal(ASK(&user, unshare, CLONE_FS | CLONE_NEWNET), ALLOWED);
	assert_int_equal(ASK(&user, clone, RUBBISH | CLONE_NEWNS | CLONE_NEWUSER), NOTIFIED);
	assert_int_equal(ASK(&user, clone, CLONE_VM | CLONE_VFORK), ALLOWED);
	assert_int_equal(ASK(&user, clone, CLONE_VM | CLONE_FILES | CLONE_THREAD), ALLOWED);
	assert_int_equal(ASK(&user, clone, CLONE_VM | CLONE_FILES), NOTIFIED);
	assert_int_equal(ASK(&user, ioctl, 3, FICLONE), ALLOWED);
	assert_int_equal(ASK(&user, ioctl, 3, RUBBISH | TIOCGWINSZ), ALLOWED);
	assert_int_equal(ASK(&user, ioctl, 3, RUBBISH | BTRFS_IOC_SNAP_CREATE_V2), ENOTTY);
	assert_int_equal(ASK(&user, ioctl, 3, FS_IOC_GETFLAGS), ALLOWED);
	assert_int_equal(ASK(&user, ioctl, 3, FS_IOC_GETVERSION), ALLOWED);
	assert_int_equal(ASK(&user, ioctl, 3, _IOW(0xbc, 16, int)), ENOTTY);
	assert_int_equal(ASK(&user, ioctl, 3, _IOW('o', 4, int[6])), ENOTTY);
	assert_int_equal(ASK(&root, setrlimit, RLIMIT_CORE), 0);
	assert_int_equal(ASK(&root, setrlimit, RLIMIT_NOFILE), ALLOWED);
	assert_int_equal(ASK(&root, prlimit64, 0, RLIMIT_CORE, 0, 8), ALLOWED);
	assert_int_equal(ASK(&root, prlimit64, 0, RUBBISH | RLIMIT_CORE, 8, 0), 0);
	assert_int_equal(ASK(&root, prlimit64, 0, RLIMIT_CORE, 8, 8), EPERM);
	assert_int_equal(ASK(&user, umask, 022), NOTIFIED);
	assert_int_equal(ASK(&user, setuid, 0), ALLOWED);
	assert_int_equal(ASK(&root, setuid, 0), NOTIFIED);
	assert_int_equal(ASK(&root, capset, 0), NOTIFIED);
	assert_int_equal(ASK(&root, prctl, RUBBISH | PR_CAPBSET_DROP, 1), NOTIFIED);
	assert_int_equal(ASK(&root, prctl, PR_SET_NAME), ALLOWED);
	assert_int_equal(ASK(&root, prctl, PR_SET_DUMPABLE, 0), ALLOWED);
	assert_int_equal(ASK(&user, prctl, PR_SET_DUMPABLE, 0), 0);
	assert_int_equal(ASK(&user, prctl, PR_SET_DUMPABLE, 1), ALLOWED);
	assert_int_equal(ASK(&user, ptrace, PTRACE_ATTACH), NOTIFIED);
	assert_int_equal(ASK(&user, ptrace, PTRACE_SEIZE), NOTIFIED);
	assert_int_equal(ASK(&user, ptrace, PTRACE_TRACEME), ALLOWED);
	assert_int_equal(ASK(&user, landlock_create_ruleset, 0, 0, 1), EOPNOTSUPP);
	assert_int_equal(ASK(&user, landlock_restrict_self, 3, 0), EOPNOTSUPP);
	assert_int_equal(ASK(&user, perf_event_open, 0, 0), ALLOWED);
	assert_int_equal(ASK(&user, perf_event_open, 0, 1), EACCES);
	assert_int_equal(ASK(&user, perf_event_open, 0, 0, 0, 0, PERF_FLAG_PID_CGROUP), EACCES);
	assert_int_equal(ASK(&user, process_vm_writev, 0), NOTIFIED);
	filter_finish(&user);
	filter_finish(&root);
}

/* A directory takes along what is below it, and a second name is one more by which it can be had.
 */
static void names_are_moved_by_the_broker_where_rules_tell_them_apart(void **state)
{
	static const struct {
		const char *text;
		int answer;
	} cases[] = {
		{"[files]\ndefault = allow\ndeny read = /x/**\n", NOTIFIED},
		{"[files]\ndefault = allow\ndeny stat = /x/**\n", NOTIFIED},
		{"[network]\ndefault = allow\ndeny connect = unix /x/**\n", NOTIFIED},
		{"[network]\ndefault = deny\nallow connect = unix /x tcp *:80\n", NOTIFIED},
		{"[network]\ndefault = deny\nallow connect = tcp *:80 unix @x\n", ALLOWED},
		{"[sockets]\ndefault = deny\n", ALLOWED},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		struct filter filter = filter_of(cases[i].text, false);
		assert_int_equal(ASK(&filter, rename, 0, 0), cases[i].answer);
		assert_int_equal(ASK(&filter, renameat2, 0, 0, 0, 0, 0), cases[i].answer);
		assert_int_equal(ASK(&filter, link, 0, 0), cases[i].answer);
		filter_finish(&filter);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_are_notified_for_what_is_mediated),
		cmocka_unit_test(what_goes_round_files_is_refused),
		cmocka_unit_test(connections_are_notified),
		cmocka_unit_test(messages_are_notified_if_they_can_have_an_address),
		cmocka_unit_test(binding_is_notified),
		cmocka_unit_test(roads_round_addresses_are_refused),
		cmocka_unit_test(options_that_are_rare_are_told),
		cmocka_unit_test(the_umask_is_told_where_files_are_made),
		cmocka_unit_test(changes_of_place_and_identity_are_notified),
		cmocka_unit_test(names_are_moved_by_the_broker_where_rules_tell_them_apart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	policy_text_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
