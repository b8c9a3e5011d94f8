/* SPDX-License-Identifier: Apache-2.0 */
/* What is answered to new sockets: of which kinds, whatever lies above the bits that count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>

#include "tests/unit/filter_text.h"

static const char sockets_text[] = "[sockets]\n"
				   "default = deny EAFNOSUPPORT\n"
				   "deny EPERM = inet/stream/sctp\n"
				   "allow = unix inet/stream\n"
				   "inject = inet6/stream\n"
				   "audit deny EACCES = netlink/raw/audit\n"
				   "allow = */dgram\n"
				   "kill = packet\n";

static const struct {
	int family, type, protocol, socket, socketpair;
} socket_cases[] = {
	{AF_UNIX, SOCK_STREAM, 0, ALLOWED, ALLOWED},
	{AF_UNIX, SOCK_SEQPACKET, 0, ALLOWED, ALLOWED},
	{AF_INET, SOCK_STREAM, 0, ALLOWED, ALLOWED},
	{AF_INET, SOCK_STREAM, 132, EPERM, EPERM},
	{AF_INET, SOCK_RAW, 0, EAFNOSUPPORT, EAFNOSUPPORT},
	{AF_INET, SOCK_PACKET, 0, ESOCKTNOSUPPORT, EAFNOSUPPORT},
	{AF_INET6, SOCK_STREAM, 6, NOTIFIED, ALLOWED},
	{AF_INET6, SOCK_DGRAM, 0, ALLOWED, ALLOWED},
	{AF_INET6, SOCK_SEQPACKET, 0, EAFNOSUPPORT, EAFNOSUPPORT},
	{AF_NETLINK, SOCK_RAW, 9, NOTIFIED, NOTIFIED},
	{AF_NETLINK, SOCK_DGRAM, 9, NOTIFIED, NOTIFIED},
	{AF_NETLINK, SOCK_RAW, 0, EAFNOSUPPORT, EAFNOSUPPORT},
	{AF_PACKET, SOCK_DGRAM, 0, ALLOWED, ALLOWED},
	{AF_PACKET, SOCK_RAW, 0, KILLED, KILLED},
	{AF_VSOCK, SOCK_STREAM, 0, EAFNOSUPPORT, EAFNOSUPPORT},
	{-1, SOCK_STREAM, 0, EAFNOSUPPORT, EAFNOSUPPORT},
};

static void sockets_are_decided_by_their_low_bits(void **state)
{
	static const unsigned long long extras[] = {0, SOCK_CLOEXEC, SOCK_NONBLOCK,
		SOCK_CLOEXEC | SOCK_NONBLOCK, RUBBISH, RUBBISH | SOCK_CLOEXEC};
	struct filter filter = filter_of(sockets_text, false);

	(void)state;
	for (size_t i = 0; i < array_length(socket_cases); i++) {
		for (size_t k = 0; k < array_length(extras); k++) {
			unsigned long long args[6] = {
				(unsigned int)socket_cases[i].family | (extras[k] & RUBBISH),
				(unsigned int)socket_cases[i].type | extras[k],
				(unsigned int)socket_cases[i].protocol | (extras[k] & RUBBISH),
			};

			assert_int_equal(
				ask(&filter, SCMP_SYS(socket), args), socket_cases[i].socket);
			assert_int_equal(ask(&filter, SCMP_SYS(socketpair), args),
				socket_cases[i].socketpair);
		}
	}
	filter_finish(&filter);
}

/* Every family, type and some protocols, against the function that the broker asks. */
static void sockets_agree_with_the_policy(void **state)
{
	cleanup_policy struct policy *policy = policy_text(sockets_text);
	struct filter filter = filter_of(sockets_text, false);
	static const int protocols[] = {0, 1, 6, 9, 17, 132, 255};

	(void)state;
	for (int family = 0; family < 64; family++) {
		for (int i = 0; i < 16 * (int)array_length(protocols); i++) {
			int type = i % 16, protocol = protocols[i / 16];
			struct policy_verdict verdict =
				policy_decide_socket(policy, family, type, protocol);
			int answer = ASK(&filter, socket, (unsigned int)family, (unsigned int)type,
				(unsigned int)protocol);
			int expected = verdict.action == POLICY_DENY   ? verdict.error
				       : verdict.action == POLICY_KILL ? KILLED
								       : ALLOWED;

			if (verdict.action == POLICY_INJECT || verdict.rule->audit) {
				expected = NOTIFIED;
			}
			if (family == AF_INET && type == SOCK_PACKET) {
				expected = ESOCKTNOSUPPORT; /* there is none, whatever rules say */
			}
			assert_int_equal(answer, expected);
		}
	}
	filter_finish(&filter);
}

/* What the kernel makes of one type by another is what rules about that type are about. */
static void another_type_leads_to_no_other_answer(void **state)
{
	static const struct {
		const char *text;
		int packet, unix_raw, unix_stream;
	} cases[] = {
		{"[sockets]\nallow = inet unix\ndefault = deny EPERM\n", ESOCKTNOSUPPORT, ALLOWED,
			ALLOWED},
		{"[sockets]\ndeny EIO = unix/dgram packet\ndefault = allow\n", ESOCKTNOSUPPORT, EIO,
			ALLOWED},
		{"[sockets]\ndeny EIO = */dgram\ndefault = allow\n", ESOCKTNOSUPPORT, EIO, ALLOWED},
		{"[sockets]\nallow = unix/dgram\ndefault = deny EPERM\n", ESOCKTNOSUPPORT, ALLOWED,
			EPERM},
		{"[network]\ndefault = allow\n", ALLOWED, ALLOWED, ALLOWED},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		struct filter filter = filter_of(cases[i].text, true);
		assert_int_equal(ASK(&filter, socket, AF_INET, SOCK_PACKET | SOCK_CLOEXEC, 0x300),
			cases[i].packet);
		assert_int_equal(ASK(&filter, socket, AF_UNIX, SOCK_RAW, 0), cases[i].unix_raw);
		assert_int_equal(ASK(&filter, socketpair, AF_UNIX, SOCK_RAW, 0), cases[i].unix_raw);
		assert_int_equal(
			ASK(&filter, socket, AF_UNIX, SOCK_STREAM, 0), cases[i].unix_stream);
		filter_finish(&filter);
	}
}

/* Whose sockets are of no network namespace would lead out of an empty one. */
static void what_no_network_holds_is_refused_in_an_empty_one(void **state)
{
	static const struct {
		const char *text;
		int vsock, seqpacket, qipcrtr;
	} cases[] = {
		{"[network]\ndefault = allow\n", ALLOWED, ALLOWED, ALLOWED},
		{"[policy]\nnet = none\n", EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT},
		{"[policy]\nnet = broker\n[network]\ndefault = allow\n", EAFNOSUPPORT, EAFNOSUPPORT,
			EAFNOSUPPORT},
		{"[policy]\nnet = none\n[sockets]\nallow = *\n", EAFNOSUPPORT, EAFNOSUPPORT,
			EAFNOSUPPORT},
		{"[policy]\nnet = none\n[sockets]\ndefault = deny EPERM\ndeny EIO = vsock/dgram\n",
			EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT},
		{"[policy]\nnet = none\n[sockets]\ndefault = deny EPERM\nallow = vsock/stream\n",
			ALLOWED, EPERM, EAFNOSUPPORT},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		struct filter filter = filter_of(cases[i].text, false);
		assert_int_equal(ASK(&filter, socket, AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0),
			cases[i].vsock);
		assert_int_equal(
			ASK(&filter, socket, AF_VSOCK, SOCK_SEQPACKET, 0), cases[i].seqpacket);
		assert_int_equal(ASK(&filter, socket, 42, SOCK_DGRAM, 0), cases[i].qipcrtr);
		filter_finish(&filter);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_are_decided_by_their_low_bits),
		cmocka_unit_test(sockets_agree_with_the_policy),
		cmocka_unit_test(another_type_leads_to_no_other_answer),
		cmocka_unit_test(what_no_network_holds_is_refused_in_an_empty_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	policy_text_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
