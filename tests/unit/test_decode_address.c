/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding addresses: of any length and family, for sockets of any kind. What is decided on is the
 * one form of an address that all its spellings have, and where the call then goes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker_target.h"
#include "daemon/base/cleanup.h"
#include "daemon/broker/decode.h"
#include "daemon/broker/decode_address.h"

#define PAGES 3u /* and behind them one that is not there */

static char *memory; /* at the same address here and in the target */

enum target_fd { FD_FILE = 100, FD_TCP, FD_TCP6, FD_UDP, FD_UNIX, FD_PATH, FD_BOUND, FD_BOUND6 };

static int bound_to(int family, const char *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	int fd = socket(family, SOCK_STREAM, 0);

	inet_pton(AF_INET, address, &in.sin_addr);
	inet_pton(AF_INET6, address, &in6.sin6_addr);
	if (family == AF_INET) {
		return bind(fd, (void *)&in, sizeof(in)) == 0 ? fd : -1;
	}
	return bind(fd, (void *)&in6, sizeof(in6)) == 0 ? fd : -1;
}

static void open_descriptors(void *argument)
{
	(void)argument;
	stage_renumber(open("/dev/null", O_RDWR), FD_FILE);
	stage_renumber(socket(AF_INET, SOCK_STREAM, 0), FD_TCP);
	stage_renumber(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), FD_TCP6);
	stage_renumber(socket(AF_INET, SOCK_DGRAM, 0), FD_UDP);
	stage_renumber(socket(AF_UNIX, SOCK_STREAM, 0), FD_UNIX);
	stage_renumber(open("/dev/null", O_PATH), FD_PATH);
	stage_renumber(bound_to(AF_INET, "127.0.0.9"), FD_BOUND);
	stage_renumber(bound_to(AF_INET6, "::ffff:127.0.0.9"), FD_BOUND6);
}

static int set_up(void **state)
{
	memory = stage_memory(PAGES);
	return stage_start(state, open_descriptors);
}

static int decode_connect_to(struct stage *stage, int fd, const void *address, size_t length)
{
	memcpy(memory, address, length < STAGE_PAGE ? length : 0);
	stage_call(stage, SYS_connect, (uint64_t)fd, stage_at(memory), length, 0);
	return stage_decode(stage);
}

static void inet_addresses_become_canonical(void **state)
{
	struct stage *stage = *state;
	const struct policy_endpoint *endpoint = &stage->request->address.endpoint;
	static const struct {
		int fd, family;
		const char *address;
		int is_family;
		const char *is;
		enum endpoint_kind kind;
	} cases[] = {
		{FD_TCP, AF_INET, "10.1.2.3", AF_INET, "10.1.2.3", ENDPOINT_TCP},
		{FD_UDP, AF_INET, "10.1.2.3", AF_INET, "10.1.2.3", ENDPOINT_UDP},
		{FD_TCP, AF_INET, "0.0.0.0", AF_INET, "127.0.0.1", ENDPOINT_TCP},
		{FD_TCP6, AF_INET6, "::1", AF_INET6, "::1", ENDPOINT_TCP},
		{FD_TCP6, AF_INET6, "::", AF_INET6, "::1", ENDPOINT_TCP},
		{FD_TCP6, AF_INET6, "fd00::2", AF_INET6, "fd00::2", ENDPOINT_TCP},
		{FD_TCP6, AF_INET6, "::ffff:10.1.2.3", AF_INET, "10.1.2.3", ENDPOINT_TCP},
		{FD_TCP6, AF_INET6, "::ffff:0.0.0.0", AF_INET, "127.0.0.1", ENDPOINT_TCP},
		{FD_TCP6, AF_INET, "10.1.2.3", AF_INET, "10.1.2.3", ENDPOINT_TCP},
		/* The unspecified address is the one that the socket is bound to. */
		{FD_BOUND, AF_INET, "0.0.0.0", AF_INET, "127.0.0.9", ENDPOINT_TCP},
		{FD_BOUND6, AF_INET6, "::", AF_INET, "127.0.0.1", ENDPOINT_TCP},
		{FD_BOUND6, AF_INET6, "::ffff:0.0.0.0", AF_INET, "127.0.0.9", ENDPOINT_TCP},
		/* Nobody speaks IPv6 through an IPv4 socket. */
		{FD_TCP, AF_INET6, "::1", AF_INET, NULL, ENDPOINT_OTHER},
		{FD_UNIX, AF_INET, "10.1.2.3", AF_UNIX, NULL, ENDPOINT_OTHER},
	};

	for (size_t i = 0; i < array_length(cases); i++) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4711)};
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(4711)};
		bool six = cases[i].family == AF_INET6;
		char is[INET6_ADDRSTRLEN] = "";
		assert_int_equal(inet_pton(cases[i].family, cases[i].address,
					 six ? (void *)&in6.sin6_addr : (void *)&in.sin_addr),
			1);
		assert_int_equal(
			decode_connect_to(stage, cases[i].fd, six ? (void *)&in6 : (void *)&in,
				six ? sizeof(in6) : sizeof(in)),
			0);
		assert_int_equal(endpoint->kind, cases[i].kind);
		assert_int_equal(endpoint->family, cases[i].is_family);
		if (cases[i].is) {
			inet_ntop(endpoint->family, endpoint->address, is, sizeof(is));
			assert_string_equal(is, cases[i].is);
			assert_int_equal(endpoint->port, 4711);
		}
	}
}

/* What is decided on is where it goes: the copy that connect(2) gets has no unspecified address. */
static void the_copy_has_the_address_that_was_decided_on(void **state)
{
	struct stage *stage = *state;
	const struct sockaddr_in6 *copy = (const void *)&stage->request->address.name;
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};

	assert_int_equal(decode_connect_to(stage, FD_BOUND6, &in6, sizeof(in6)), 0);
	assert_true(IN6_IS_ADDR_V4MAPPED(&copy->sin6_addr));
	assert_int_equal(decode_connect_to(stage, FD_TCP6, &in6, sizeof(in6)), 0);
	assert_true(IN6_IS_ADDR_LOOPBACK(&copy->sin6_addr));
}

static void addresses_have_lengths(void **state)
{
	struct stage *stage = *state;
	const struct address_request *connect = &stage->request->address;
	union {
		struct sockaddr any;
		char room[sizeof(struct sockaddr_storage) + 1];
	} storage = {.any.sa_family = AF_INET};

	for (size_t length = 0; length < sizeof(struct sockaddr_in); length++) {
		assert_int_equal(decode_connect_to(stage, FD_TCP, &storage, length), 0);
		assert_int_equal(connect->endpoint.kind, ENDPOINT_OTHER);
		assert_int_equal(connect->length, length);
	}
	assert_int_equal(
		decode_connect_to(stage, FD_TCP, &storage, sizeof(struct sockaddr_storage)), 0);
	assert_int_equal(connect->endpoint.kind, ENDPOINT_TCP);
	assert_int_equal(decode_connect_to(stage, FD_TCP, &storage, sizeof(storage.room)), -EINVAL);
	assert_int_equal(decode_connect_to(stage, FD_TCP, &storage, (size_t)-1), -EINVAL);
	/* The kernel takes 24 bytes for an IPv6 address, and no less. */
	storage.any.sa_family = AF_INET6;
	assert_int_equal(decode_connect_to(stage, FD_TCP6, &storage, 23), 0);
	assert_int_equal(connect->endpoint.kind, ENDPOINT_OTHER);
	assert_int_equal(decode_connect_to(stage, FD_TCP6, &storage, 24), 0);
	assert_int_equal(connect->endpoint.kind, ENDPOINT_TCP);
	storage.any.sa_family = AF_UNSPEC;
	assert_int_equal(decode_connect_to(stage, FD_TCP, &storage, 16), 0);
	assert_int_equal(connect->operation, 0); /* ends a connection */
}

static void unix_addresses_are_paths_or_names(void **state)
{
	struct stage *stage = *state;
	const struct address_request *connect = &stage->request->address;
	size_t offset = offsetof(struct sockaddr_un, sun_path);
	char room[sizeof(struct sockaddr_storage)];
	struct sockaddr_un *un = (void *)room;

	memset(room, 'x', sizeof(room));
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, "/run/a");
	assert_int_equal(decode_connect_to(stage, FD_UNIX, un, sizeof(*un)), 0);
	assert_int_equal(connect->endpoint.kind, ENDPOINT_UNIX_PATH);
	assert_string_equal(connect->endpoint.path, "/run/a");
	/* Its length may end it as well as its NUL. */
	assert_int_equal(decode_connect_to(stage, FD_UNIX, un, offset + 4), 0);
	assert_string_equal(connect->endpoint.path, "/run");
	memset(un->sun_path, 'a', sizeof(un->sun_path));
	un->sun_path[0] = '/';
	assert_int_equal(decode_connect_to(stage, FD_UNIX, un, sizeof(*un)), 0);
	assert_int_equal(strlen(connect->endpoint.path), sizeof(un->sun_path));
	assert_int_equal(decode_connect_to(stage, FD_UNIX, un, sizeof(*un) + 1), -EINVAL);
	assert_int_equal(decode_connect_to(stage, FD_UNIX, un, sizeof(room)), -EINVAL);
	assert_int_equal(decode_connect_to(stage, FD_UNIX, un, offset), 0);
	assert_int_equal(connect->endpoint.kind, ENDPOINT_OTHER);
	memcpy(un->sun_path, "\0a\0b", 4);
	assert_int_equal(decode_connect_to(stage, FD_UNIX, un, offset + 4), 0);
	assert_int_equal(connect->endpoint.kind, ENDPOINT_UNIX_ABSTRACT);
	assert_int_equal(connect->endpoint.path_length, 3);
	assert_memory_equal(connect->endpoint.path, "a\0b", 3);
}

static void the_address_is_looked_at_before_the_descriptor(void **state)
{
	struct stage *stage = *state;
	struct sockaddr_in in = {.sin_family = AF_INET};

	assert_int_equal(decode_connect_to(stage, 4711, &in, sizeof(in)), -EBADF);
	assert_int_equal(decode_connect_to(stage, FD_PATH, &in, sizeof(in)), -EBADF);
	assert_int_equal(decode_connect_to(stage, FD_FILE, &in, sizeof(in)), -ENOTSOCK);
	assert_int_equal(decode_connect_to(stage, FD_FILE, &in, (size_t)-1), -EINVAL);
	stage_call(stage, SYS_connect, FD_FILE, 8, sizeof(in), 0);
	assert_int_equal(stage_decode(stage), -EFAULT);
	stage_call(stage, SYS_connect, FD_TCP, stage_at(memory + PAGES * STAGE_PAGE - 8),
		sizeof(in), 0);
	assert_int_equal(stage_decode(stage), -EFAULT);
}

static void a_socket_may_wait_if_it_blocks(void **state)
{
	struct stage *stage = *state;
	struct address_request *address = &stage->request->address;

	stage_call(stage, SYS_listen, FD_TCP, 1, 0, 0);
	assert_int_equal(decode(&stage->broker, stage->request), 0);
	assert_true(address_may_wait(address));
	assert_int_equal(address_type(address), SOCK_STREAM);
	decode_release(stage->request);
	stage_call(stage, SYS_listen, FD_TCP6, 1, 0, 0);
	assert_int_equal(decode(&stage->broker, stage->request), 0);
	assert_false(address_may_wait(address));
	decode_release(stage->request);
}

static void nothing_stays_open(void **state)
{
	int before = dup(0), after;

	close(before);
	the_address_is_looked_at_before_the_descriptor(state);
	unix_addresses_are_paths_or_names(state);
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inet_addresses_become_canonical),
		cmocka_unit_test(the_copy_has_the_address_that_was_decided_on),
		cmocka_unit_test(addresses_have_lengths),
		cmocka_unit_test(unix_addresses_are_paths_or_names),
		cmocka_unit_test(the_address_is_looked_at_before_the_descriptor),
		cmocka_unit_test(a_socket_may_wait_if_it_blocks),
		cmocka_unit_test(nothing_stays_open),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, stage_tear_down);
}
