/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is sent and bound, as a hostile program may pass it: addresses are what the kernel will take
 * them for, vectors and control messages have ends, and no number of a descriptor gets through that
 * is not one of our copies.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker_target.h"
#include "daemon/base/cleanup.h"
#include "daemon/broker/bound.h"
#include "daemon/broker/control_message.h"
#include "daemon/broker/decode.h"
#include "daemon/broker/decode_message.h"
#include "daemon/broker/target.h"
#include "daemon/broker/target_fd.h"

static char *memory; /* one page, at the same address here and in the target; none is behind it */

enum target_fd {
	FD_FILE = 100,
	FD_UDP,
	FD_UDP6,
	FD_TCP,
	FD_PAIR,
	FD_DATAGRAM,
	FD_NETLINK,
	FD_BOUND
};

static void open_descriptors(void *argument)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int pair[2];

	(void)argument;
	stage_renumber(open("/dev/null", O_RDWR), FD_FILE);
	stage_renumber(socket(AF_INET, SOCK_DGRAM, 0), FD_UDP);
	stage_renumber(socket(AF_INET6, SOCK_DGRAM, 0), FD_UDP6);
	stage_renumber(socket(AF_INET, SOCK_STREAM, 0), FD_TCP);
	stage_renumber(socket(AF_UNIX, SOCK_DGRAM, 0), FD_DATAGRAM);
	stage_renumber(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), FD_NETLINK);
	stage_renumber(socket(AF_INET, SOCK_STREAM, 0), FD_BOUND);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
		bind(FD_BOUND, (void *)&any, sizeof(any)) < 0) {
		abort();
	}
	stage_renumber(pair[0], FD_PAIR);
}

static int set_up(void **state)
{
	memory = stage_memory(1);
	return stage_start(state, open_descriptors);
}

/* ---- addresses ---- */

static int try_sendto(struct stage *stage, int fd, const void *address, size_t length)
{
	memcpy(memory, address, length < STAGE_PAGE ? length : 0);
	stage_call(stage, SYS_sendto, (uint64_t)fd, stage_at(memory), 1, 0);
	stage->slot->notification.data.args[4] = stage_at(memory);
	stage->slot->notification.data.args[5] = length;
	return stage_decode(stage);
}

static int try_bind(struct stage *stage, int fd, const void *address, size_t length)
{
	memcpy(memory, address, length < STAGE_PAGE ? length : 0);
	stage_call(stage, SYS_bind, (uint64_t)fd, stage_at(memory), length, 0);
	return stage_decode(stage);
}

static void expect_endpoint(struct stage *stage, enum policy_operation operation, const char *host)
{
	const struct address_request *address = &stage->request->address;
	char is[INET6_ADDRSTRLEN] = "";

	assert_int_equal(address->operation, operation);
	assert_int_equal(address->endpoint.kind, ENDPOINT_UDP);
	inet_ntop(address->endpoint.family, address->endpoint.address, is, sizeof(is));
	assert_string_equal(is, host);
	assert_int_equal(address->endpoint.port, 53);
}

/* AF_UNSPEC ends a connection in connect(2); in these it is an address as any other. */
static void no_family_is_the_sockets_own(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_UNSPEC, .sin_port = htons(53)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_UNSPEC, .sin6_port = htons(53)};

	inet_pton(AF_INET, "10.1.2.3", &in.sin_addr);
	inet_pton(AF_INET6, "fd00::1", &in6.sin6_addr);
	assert_int_equal(try_sendto(*state, FD_UDP, &in, sizeof(in)), 0);
	expect_endpoint(*state, OPERATION_CONNECT, "10.1.2.3");
	assert_int_equal(try_bind(*state, FD_UDP, &in, sizeof(in)), 0);
	expect_endpoint(*state, OPERATION_BIND, "10.1.2.3");
	/* One of IPv6 takes no notice of such a name, and sends to its peer. */
	struct stage *stage = *state;
	assert_int_equal(try_sendto(stage, FD_UDP6, &in6, sizeof(in6)), 0);
	assert_int_equal(stage->request->address.operation, 0);
	assert_false(stage->request->address.is_named);
}

/* To who sends it is loopback, to who binds it is all addresses. */
static void the_unspecified_address_depends_on_the_use(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};

	assert_int_equal(try_sendto(*state, FD_UDP, &in, sizeof(in)), 0);
	expect_endpoint(*state, OPERATION_CONNECT, "127.0.0.1");
	assert_int_equal(try_bind(*state, FD_UDP, &in, sizeof(in)), 0);
	expect_endpoint(*state, OPERATION_BIND, "0.0.0.0");
	assert_int_equal(try_sendto(*state, FD_UDP6, &in6, sizeof(in6)), 0);
	expect_endpoint(*state, OPERATION_CONNECT, "::1");
	assert_int_equal(try_bind(*state, FD_UDP6, &in6, sizeof(in6)), 0);
	expect_endpoint(*state, OPERATION_BIND, "::");
	in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
	assert_int_equal(try_bind(*state, FD_UDP6, &in6, sizeof(in6)), 0);
	expect_endpoint(*state, OPERATION_BIND, "0.0.0.0");
}

static void some_names_are_nobodys(void **state)
{
	struct stage *stage = *state;
	struct sockaddr_nl netlink = {.nl_family = AF_NETLINK};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/x"};

	assert_int_equal(try_sendto(stage, FD_NETLINK, &netlink, sizeof(netlink)), 0);
	assert_int_equal(stage->request->address.operation, 0);
	assert_int_equal(try_bind(stage, FD_NETLINK, &netlink, sizeof(netlink)), 0);
	assert_int_equal(stage->request->address.operation, 0);
	netlink.nl_pid = 1;
	assert_int_equal(try_sendto(stage, FD_NETLINK, &netlink, sizeof(netlink)), 0);
	assert_int_equal(stage->request->address.operation, OPERATION_CONNECT);
	/* A stream's message has no address that anybody looks at; a datagram's has. */
	assert_int_equal(try_sendto(stage, FD_PAIR, &un, sizeof(un)), 0);
	assert_int_equal(stage->request->address.operation, 0);
	assert_int_equal(try_sendto(stage, FD_DATAGRAM, &un, sizeof(un)), 0);
	assert_int_equal(stage->request->address.operation, OPERATION_CONNECT);
	assert_int_equal(stage->request->address.endpoint.kind, ENDPOINT_UNIX_PATH);
}

static void a_unix_socket_may_be_bound_to_no_name(void **state)
{
	struct stage *stage = *state;
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	assert_int_equal(try_bind(stage, FD_DATAGRAM, &un, sizeof(sa_family_t)), 0);
	assert_int_equal(stage->request->address.operation, OPERATION_BIND);
	assert_int_equal(stage->request->address.endpoint.kind, ENDPOINT_UNIX_ABSTRACT);
	assert_int_equal(stage->request->address.endpoint.path_length, 0);
	assert_int_equal(try_sendto(stage, FD_DATAGRAM, &un, sizeof(sa_family_t)), 0);
	assert_int_equal(stage->request->address.endpoint.kind, ENDPOINT_OTHER);
}

static void listening_binds_what_was_not_bound_by_us(void **state)
{
	static const struct {
		int fd;
		unsigned int operation;
	} cases[] = {{FD_TCP, OPERATION_BIND}, {FD_BOUND, OPERATION_BIND}, {FD_PAIR, 0},
		{FD_NETLINK, 0}};
	struct stage *stage = *state;

	for (size_t i = 0; i < array_length(cases); i++) {
		stage_call(stage, SYS_listen, (uint64_t)cases[i].fd, 5, 0, 0);
		assert_int_equal(stage_decode(stage), 0);
		assert_int_equal(stage->request->address.operation, cases[i].operation);
	}
	cleanup_fd int bound = target_take_fd(stage->request->tid, FD_BOUND);
	bound_note(bound);
	stage_call(stage, SYS_listen, FD_BOUND, 5, 0, 0);
	assert_int_equal(stage_decode(stage), 0);
	assert_int_equal(stage->request->address.operation, 0);
	stage_call(stage, SYS_listen, FD_FILE, 5, 0, 0);
	assert_int_equal(stage_decode(stage), -ENOTSOCK);
}

/* ---- headers ---- */

static struct msghdr *header(void)
{
	memset(memory, 0, STAGE_PAGE);
	return (struct msghdr *)(void *)memory;
}

static int try_sendmsg(struct stage *stage, int fd, const void *message, unsigned int flags)
{
	stage_call(stage, SYS_sendmsg, (uint64_t)fd, stage_at(message), flags, 0);
	return stage_decode(stage);
}

static void headers_are_judged_in_the_kernels_order(void **state)
{
	struct stage *stage = *state;
	struct msghdr *message = header();

	assert_int_equal(try_sendmsg(stage, FD_UDP, message, 0), 0);
	assert_int_equal(stage->request->address.operation, 0);
	assert_int_equal(try_sendmsg(stage, 4711, message, 0x80000000u), -EINVAL);
	assert_int_equal(try_sendmsg(stage, 4711, NULL, 0), -EBADF);
	assert_int_equal(try_sendmsg(stage, FD_FILE, NULL, 0), -ENOTSOCK);
	assert_int_equal(try_sendmsg(stage, FD_UDP, memory + STAGE_PAGE - 8, 0), -EFAULT);
	message->msg_name = memory;
	message->msg_namelen = (socklen_t)-1;
	assert_int_equal(try_sendmsg(stage, FD_UDP, message, 0), -EINVAL);
	message->msg_name = NULL; /* then its length is nobody's */
	message->msg_iovlen = 1025;
	assert_int_equal(try_sendmsg(stage, FD_UDP, message, 0), -EMSGSIZE);
	message->msg_iovlen = 1;
	assert_int_equal(try_sendmsg(stage, FD_UDP, message, 0), -EFAULT);
	message->msg_iovlen = 0;
	message->msg_controllen = 1ul << 31;
	assert_int_equal(try_sendmsg(stage, FD_UDP, message, 0), -ENOBUFS);
	message->msg_controllen = 16;
	assert_int_equal(try_sendmsg(stage, FD_UDP, message, 0), -EFAULT);
}

static void a_name_is_cut_off_where_the_kernel_does(void **state)
{
	struct stage *stage = *state;
	struct msghdr *message = header();
	struct sockaddr_in *in = (void *)(memory + 512);

	*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(53)};
	message->msg_name = in;
	message->msg_namelen = 1u << 20;
	assert_int_equal(try_sendmsg(stage, FD_UDP, message, 0), 0);
	assert_int_equal(stage->request->address.length, sizeof(struct sockaddr_storage));
	expect_endpoint(stage, OPERATION_CONNECT, "127.0.0.1");
}

static void vectors_have_a_sum(void **state)
{
	struct stage *stage = *state;
	struct msghdr *message = header();
	struct iovec *parts = (void *)(memory + 512);

	message->msg_iov = parts;
	message->msg_iovlen = 3;
	parts[0].iov_len = 5;
	parts[2].iov_len = 7;
	stage_call(stage, SYS_sendmsg, FD_UDP, stage_at(message), 0, 0);
	assert_int_equal(decode(&stage->broker, stage->request), 0);
	assert_int_equal(stage->request->message.size, 12);
	assert_int_equal(stage->request->message.part_count, 3);
	decode_release(stage->request);
	parts[1].iov_len = (size_t)-1;
	assert_int_equal(try_sendmsg(stage, FD_UDP, message, 0), -EINVAL);
	parts[0].iov_len = parts[1].iov_len = SSIZE_MAX;
	stage_call(stage, SYS_sendmsg, FD_UDP, stage_at(message), 0, 0);
	assert_int_equal(decode(&stage->broker, stage->request), 0);
	assert_int_equal(stage->request->message.size, 0x7ffff000);
	decode_release(stage->request);
}

static void parts_are_gathered(void **state)
{
	struct stage *stage = *state;
	struct iovec parts[4] = {
		{memory, 3}, {NULL, 0}, {memory + 100, 2}, {memory + STAGE_PAGE - 2, 2}};
	char text[16] = "";

	header();
	memcpy(memory, "abc", 3);
	memcpy(memory + 100, "de", 2);
	memcpy(memory + STAGE_PAGE - 2, "fg", 2);
	assert_int_equal(target_read_parts(stage->target, parts, 4, 0, text, 7), 0);
	assert_string_equal(text, "abcdefg");
	assert_int_equal(target_read_parts(stage->target, parts, 4, 4, text, 2), 0);
	assert_memory_equal(text, "ef", 2);
	assert_int_equal(target_read_parts(stage->target, parts, 4, 2, text, 0), 0);
	parts[3].iov_len = 3;
	assert_int_equal(target_read_parts(stage->target, parts, 4, 0, text, 8), -EFAULT);
}

/* ---- control messages ---- */

/* The kernel may send it itself: it is this socket, unless somebody else has the table, too. */
static void a_peer_is_sent_to_by_the_sender(void **state)
{
	struct stage *stage = *state;
	struct msghdr *message = header();

#ifdef __SANITIZE_THREAD__
	skip(); /* there is a thread of its own then, which has the table, too */
#endif
	assert_int_equal(try_sendmsg(stage, FD_PAIR, message, 0), 0);
	assert_int_equal(stage->request->call, CALL_HARMLESS);
	assert_int_equal(try_sendmsg(stage, FD_DATAGRAM, message, 0), 0);
	assert_int_equal(stage->request->call, CALL_SEND);
	assert_int_equal(try_sendmsg(stage, FD_TCP, message, 0), 0);
	assert_int_equal(stage->request->call, CALL_SEND);
	stage->broker.memory->facts = SESSION_TABLES_SHARED;
	assert_int_equal(try_sendmsg(stage, FD_PAIR, message, 0), 0);
	assert_int_equal(stage->request->call, CALL_SEND);
	stage->broker.memory->facts = 0;
}

/* Decodes a message with these control bytes and makes them ready to be sent. */
static int translate(struct stage *stage, int fd, const void *control, size_t size)
{
	struct msghdr *message = header();

	memcpy(memory + 512, control, size);
	message->msg_control = memory + 512;
	message->msg_controllen = size;
	stage_call(stage, SYS_sendmsg, (uint64_t)fd, stage_at(message), 0, 0);
	int error = decode(&stage->broker, stage->request);
	stage->request->identity = &stage->broker.identity;
	return error < 0 ? error : control_translate(stage->request);
}

struct rights {
	struct cmsghdr header;
	int numbers[6];
};

static struct rights rights_of(size_t count)
{
	return (struct rights){.header = {.cmsg_len = CMSG_LEN(count * sizeof(int)),
				       .cmsg_level = SOL_SOCKET,
				       .cmsg_type = SCM_RIGHTS}};
}

static void numbers_become_our_copies(void **state)
{
	struct stage *stage = *state;
	const struct message_request *message = &stage->request->message;
	struct rights rights = rights_of(2);
	struct stat theirs, ours;

	rights.numbers[0] = rights.numbers[1] = FD_FILE;
	assert_int_equal(translate(stage, FD_DATAGRAM, &rights, CMSG_SPACE(8)), 0);
	assert_int_equal(message->right_count, 2);
	memcpy(&rights, message->control, CMSG_LEN(8));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(rights.numbers[i], message->rights[i]);
		assert_int_equal(fstat(rights.numbers[i], &ours), 0);
		assert_int_equal(stat("/dev/null", &theirs), 0);
		assert_int_equal(ours.st_rdev, theirs.st_rdev);
	}
	int copy = rights.numbers[0];
	decode_release(stage->request);
	assert_int_equal(fcntl(copy, F_GETFD), -1); /* closed with the request */
}

/* A number that is open here and not there is nobody's, whatever the lengths say. */
static void no_number_of_ours_gets_through(void **state)
{
	struct stage *stage = *state;
	const struct message_request *message = &stage->request->message;
	const int own = 300; /* and not one of the target's */

	stage_renumber(open("/etc/passwd", O_RDONLY), own);
	for (size_t length = 0; length <= 48; length++) {
		for (size_t size = 0; size <= 40; size++) {
			struct rights rights = rights_of(6);

			for (size_t i = 0; i < 6; i++) {
				rights.numbers[i] = own;
			}
			rights.header.cmsg_len = length;
			int error = translate(stage, FD_DATAGRAM, &rights, size);
			/* What the kernel would still read as descriptors of it. */
			bool is_read = size >= sizeof(rights.header) && length <= size &&
				       length >= sizeof(rights.header) + sizeof(int);
			assert_true(error < 0 || !is_read);
			assert_int_equal(message->right_count, 0);
			decode_release(stage->request);
		}
	}
	close(own);
}

static void messages_of_others_are_left_alone(void **state)
{
	struct stage *stage = *state;
	struct rights rights = rights_of(1);

	rights.numbers[0] = 4711;
	assert_int_equal(translate(stage, FD_UDP, &rights, CMSG_SPACE(4)), 0);
	assert_memory_equal(stage->request->message.control, &rights, CMSG_LEN(4));
	decode_release(stage->request);
	rights.header.cmsg_type = 4711;
	assert_int_equal(translate(stage, FD_DATAGRAM, &rights, CMSG_SPACE(4)), 0);
	decode_release(stage->request);
}

static void routes_are_refused(void **state)
{
	static const struct {
		int level, type, error;
	} cases[] = {{IPPROTO_IP, IP_RETOPTS, -EPERM}, {IPPROTO_IPV6, IPV6_RTHDR, -EPERM},
		{IPPROTO_IPV6, IPV6_2292RTHDR, -EPERM}, {IPPROTO_IP, IP_TOS, 0},
		{IPPROTO_IPV6, IPV6_PKTINFO, 0}};
	struct stage *stage = *state;

	for (size_t i = 0; i < array_length(cases); i++) {
		struct rights rights = rights_of(1);

		rights.header.cmsg_level = cases[i].level;
		rights.header.cmsg_type = cases[i].type;
		assert_int_equal(translate(stage, FD_UDP6, &rights, CMSG_SPACE(4)), cases[i].error);
		decode_release(stage->request);
	}
}

static void descriptors_go_with_the_first_part_only(void **state)
{
	struct stage *stage = *state;
	struct message_request *message = &stage->request->message;
	struct {
		struct cmsghdr header;
		int number, padding;
	} control[3];

	for (size_t i = 0; i < 3; i++) {
		control[i].header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = i == 1 ? SOL_SOCKET : 4711,
			.cmsg_type = i == 1 ? SCM_RIGHTS : (int)i};
		control[i].number = FD_FILE;
		control[i].padding = 0;
	}
	void *copy = malloc(sizeof(control));
	message->control = copy;
	message->control_size = sizeof(control);
	memcpy(message->control, control, sizeof(control));
	control_drop_rights(stage->request);
	assert_int_equal(message->control_size, 2 * sizeof(control[0]));
	assert_memory_equal(message->control, &control[0], sizeof(control[0]));
	assert_memory_equal(message->control + sizeof(control[0]), &control[2], sizeof(control[0]));
	decode_message_release(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_family_is_the_sockets_own),
		cmocka_unit_test(the_unspecified_address_depends_on_the_use),
		cmocka_unit_test(some_names_are_nobodys),
		cmocka_unit_test(a_unix_socket_may_be_bound_to_no_name),
		cmocka_unit_test(listening_binds_what_was_not_bound_by_us),
		cmocka_unit_test(headers_are_judged_in_the_kernels_order),
		cmocka_unit_test(a_name_is_cut_off_where_the_kernel_does),
		cmocka_unit_test(vectors_have_a_sum),
		cmocka_unit_test(parts_are_gathered),
		cmocka_unit_test(a_peer_is_sent_to_by_the_sender),
		cmocka_unit_test(numbers_become_our_copies),
		cmocka_unit_test(no_number_of_ours_gets_through),
		cmocka_unit_test(messages_of_others_are_left_alone),
		cmocka_unit_test(routes_are_refused),
		cmocka_unit_test(descriptors_go_with_the_first_part_only),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, stage_tear_down);
}
