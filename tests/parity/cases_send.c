/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sendto: with each kind of address, socket, flag and memory; what arrives, and from whom. On the
 * loopback interface only.
 */
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/base/cleanup.h"
#include "tests/common/address.h"
#include "tests/parity/parity.h"

#define PAGE        4096
#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

static volatile sig_atomic_t pipes;

static void on_pipe(int number)
{
	(void)number;
	pipes++;
}

static long send_to(int fd, const void *data, size_t size, int flags, const struct address *address)
{
	return raw(SYS_sendto, fd, data, size, flags, &address->storage, address->length);
}

/* A bound datagram socket, and its address. */
static int receiver(struct scene *scene, int family, struct address *address)
{
	int fd = socket(family, SOCK_DGRAM, 0);

	*address = family == AF_INET ? address_ip4("127.0.0.1", 0) : address_ip6("::1", 0);
	prepare(scene,
		fd >= 0 && !bind(fd, (struct sockaddr *)&address->storage, address->length) &&
			!getsockname(fd, (struct sockaddr *)&address->storage, &address->length));
	return fd;
}

static void tell_arrived(struct scene *scene, int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	char data[256] = "";
	long got = poll(&poller, 1, 100) > 0 ? raw(SYS_recvfrom, fd, data, sizeof(data) - 1,
						       MSG_DONTWAIT | MSG_TRUNC, 0, 0)
					     : -EAGAIN;

	tell(scene, " arrived ");
	tell_result(scene, got);
	tell(scene, " %.16s", got > 0 ? data : "");
}

static void run_datagram(struct scene *scene)
{
	static const int flags[] = {0, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_CONFIRM, MSG_DONTROUTE,
		MSG_EOR, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_FASTOPEN, MSG_ZEROCOPY,
		MSG_CMSG_CLOEXEC, (int)0x80000000, 0x10000};
	int family = *(const int *)scene->data;
	struct address address;
	int to = receiver(scene, family, &address), fd = socket(family, SOCK_DGRAM, 0);

	for (size_t i = 0; i < array_length(flags); i++) {
		tell(scene, " %x ", (unsigned int)flags[i]);
		tell_result(scene, send_to(fd, "hello", 5, flags[i], &address));
		tell_arrived(scene, to);
	}
}

static void run_sizes(struct scene *scene)
{
	static const size_t sizes[] = {
		0, 1, 4096, 65000, 65507, 65508, 65535, 65536, 1 << 20, 17 << 20, 0x7fffffff};
	char *data =
		mmap(NULL, 18 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct address address, local;
	int to = receiver(scene, AF_INET, &address), fd = socket(AF_INET, SOCK_DGRAM, 0);
	int from = socket(AF_UNIX, SOCK_DGRAM, 0), path = socket(AF_UNIX, SOCK_DGRAM, 0);

	prepare(scene, data != MAP_FAILED && address_parse_unix(&local, "to"));
	prepare(scene, !bind(path, (struct sockaddr *)&local.storage, local.length));
	for (size_t i = 0; i < array_length(sizes); i++) {
		tell(scene, " %zu ", sizes[i]);
		tell_result(scene, send_to(fd, data, sizes[i], 0, &address));
		tell_arrived(scene, to);
		tell(scene, " unix ");
		tell_result(scene, send_to(from, data, sizes[i], MSG_DONTWAIT, &local));
		tell_arrived(scene, path);
	}
}

static void run_pointer(struct scene *scene)
{
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct address address;
	int to = receiver(scene, AF_INET, &address), fd = socket(AF_INET, SOCK_DGRAM, 0);

	prepare(scene, pages != MAP_FAILED && !munmap(pages + PAGE, PAGE));
	memcpy(pages + PAGE - 16, &address.storage, 16);
	tell(scene, "data at the end ");
	tell_result(scene, send_to(fd, pages + PAGE - 4, 4, 0, &address));
	tell(scene, " over it ");
	tell_result(scene, send_to(fd, pages + PAGE - 4, 5, 0, &address));
	tell(scene, " unmapped ");
	tell_result(scene, send_to(fd, pages + PAGE, 1, 0, &address));
	tell(scene, " NULL ");
	tell_result(scene, send_to(fd, NULL, 1, 0, &address));
	tell(scene, " NULL of 0 ");
	tell_result(scene, send_to(fd, NULL, 0, 0, &address));
	tell(scene, " kernel's ");
	tell_result(scene, send_to(fd, (void *)0xffff800000000000ul, 8, 0, &address));
	tell(scene, " address at the end ");
	tell_result(scene, raw(SYS_sendto, fd, "x", 1, 0, pages + PAGE - 16, 16));
	tell(scene, " over it ");
	tell_result(scene, raw(SYS_sendto, fd, "x", 1, 0, pages + PAGE - 16, 17));
	tell(scene, " unmapped ");
	tell_result(scene, raw(SYS_sendto, fd, "x", 1, 0, pages + PAGE, 16));
	tell(scene, " NULL of 16 ");
	tell_result(scene, raw(SYS_sendto, fd, "x", 1, 0, 0, 16));
	tell(scene, " of 0 ");
	tell_result(scene, raw(SYS_sendto, fd, "x", 1, 0, pages, 0));
	tell_arrived(scene, to);
	mprotect(pages, PAGE, PROT_WRITE);
	tell(scene, " write-only ");
	tell_result(scene, send_to(fd, pages, 4, 0, &address));
	mprotect(pages, PAGE, PROT_NONE);
	tell(scene, " closed ");
	tell_result(scene, send_to(fd, pages, 4, 0, &address));
}

static void run_length(struct scene *scene)
{
	socklen_t length = *(const socklen_t *)scene->data;
	struct address four, six;
	int to = receiver(scene, AF_INET, &four), to6 = receiver(scene, AF_INET6, &six);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), fd6 = socket(AF_INET6, SOCK_DGRAM, 0);

	four.length = six.length = length;
	tell_result(scene, send_to(fd, "x", 1, 0, &four));
	tell_arrived(scene, to);
	tell(scene, " inet6 ");
	tell_result(scene, send_to(fd6, "x", 1, 0, &six));
	tell_arrived(scene, to6);
	tell(scene, " inet on inet6 ");
	tell_result(scene, send_to(fd6, "x", 1, 0, &four));
	tell_arrived(scene, to);
	tell(scene, " inet6 on inet ");
	tell_result(scene, send_to(fd, "x", 1, 0, &six));
}

static void run_family(struct scene *scene)
{
	static const int kinds[][2] = {{AF_INET, SOCK_DGRAM}, {AF_INET6, SOCK_DGRAM},
		{AF_INET, SOCK_STREAM}, {AF_UNIX, SOCK_DGRAM}, {AF_UNIX, SOCK_STREAM},
		{AF_UNIX, SOCK_SEQPACKET}, {AF_NETLINK, SOCK_RAW}};
	struct address four, six;
	int to = receiver(scene, AF_INET, &four), to6 = receiver(scene, AF_INET6, &six);

	four.storage.ss_family = six.storage.ss_family = *(const sa_family_t *)scene->data;
	for (size_t i = 0; i < array_length(kinds); i++) {
		int fd = socket(kinds[i][0], kinds[i][1], 0);

		tell(scene, " %d/%d ", kinds[i][0], kinds[i][1]);
		tell_result(scene, send_to(fd, "x", 1, MSG_NOSIGNAL, &four));
		tell(scene, " ");
		tell_result(scene, send_to(fd, "x", 1, MSG_NOSIGNAL, &six));
		close(fd);
	}
	tell_arrived(scene, to);
	tell_arrived(scene, to6);
}

/* The unspecified addresses, and IPv4 inside IPv6. */
static void run_special(struct scene *scene)
{
	static const char *const hosts[] = {"::", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::1"};
	struct address address, other;
	int to = socket(AF_INET6, SOCK_DGRAM, 0), fd = socket(AF_INET6, SOCK_DGRAM, 0);
	int one = 1;

	address = address_ip6("::", 0);
	prepare(scene,
		!bind(to, (struct sockaddr *)&address.storage, address.length) &&
			!getsockname(to, (struct sockaddr *)&address.storage, &address.length));
	uint16_t port = ntohs(((struct sockaddr_in6 *)&address.storage)->sin6_port);
	for (size_t i = 0; i < array_length(hosts); i++) {
		other = address_ip6(hosts[i], port);
		tell(scene, " %s ", hosts[i]);
		tell_result(scene, send_to(fd, hosts[i], strlen(hosts[i]), 0, &other));
		tell_arrived(scene, to);
	}
	other = address_ip4("0.0.0.0", port);
	tell(scene, " 0.0.0.0 ");
	tell_result(scene, send_to(socket(AF_INET, SOCK_DGRAM, 0), "zero", 4, 0, &other));
	tell_arrived(scene, to);
	tell(scene, " only v6 ");
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	tell_result(scene, send_to(fd, "zero", 4, 0, &other));
	other = address_ip4("255.255.255.255", port);
	tell(scene, " broadcast ");
	tell_result(scene, send_to(socket(AF_INET, SOCK_DGRAM, 0), "zero", 4, 0, &other));
	other = address_ip4("127.0.0.1", 0);
	tell(scene, " port 0 ");
	tell_result(scene, send_to(socket(AF_INET, SOCK_DGRAM, 0), "zero", 4, 0, &other));
}

/* To one while connected to another; the answer of a port where nobody is comes with the next. */
static void run_connected(struct scene *scene)
{
	struct address one, other, none;
	int to = receiver(scene, AF_INET, &one), to_other = receiver(scene, AF_INET, &other);
	int gone = receiver(scene, AF_INET, &none), fd = socket(AF_INET, SOCK_DGRAM, 0);

	close(gone);
	prepare(scene, !connect(fd, (struct sockaddr *)&one.storage, one.length));
	tell_result(scene, send_to(fd, "other", 5, 0, &other));
	tell_arrived(scene, to_other);
	tell(scene, " none ");
	tell_result(scene, raw(SYS_sendto, fd, "one", 3, 0, 0, 0));
	tell_arrived(scene, to);
	prepare(scene, !connect(fd, (struct sockaddr *)&none.storage, none.length));
	tell(scene, " nobody ");
	tell_result(scene, send_to(fd, "x", 1, 0, &none));
	tell(scene, " nobody ");
	tell_result(scene, send_to(fd, "x", 1, 0, &none));
	tell(scene, " other ");
	tell_result(scene, send_to(fd, "other", 5, 0, &other));
}

static void tell_pipe(struct scene *scene, long result)
{
	tell_result(scene, result);
	tell(scene, " SIGPIPE=%d", (int)pipes);
	pipes = 0;
}

/* Streams take no address, or ignore it; and a broken one strikes. */
static void run_stream(struct scene *scene)
{
	struct address address;
	uint16_t port = 0;
	int listener = address_listen("127.0.0.1", 0, 0, &port), pair[2];
	int fd = socket(AF_INET, SOCK_STREAM, 0), server;

	signal(SIGPIPE, on_pipe);
	address = address_ip4("127.0.0.1", port);
	tell(scene, "unconnected ");
	tell_pipe(scene, send_to(fd, "x", 1, 0, &address));
	tell(scene, " MSG_NOSIGNAL ");
	tell_pipe(scene, send_to(fd, "x", 1, MSG_NOSIGNAL, &address));
	prepare(scene, !connect(fd, (struct sockaddr *)&address.storage, address.length));
	server = accept(listener, NULL, NULL);
	tell(scene, " connected ");
	tell_pipe(scene, send_to(fd, "hello", 5, 0, &address));
	tell_arrived(scene, server);
	shutdown(fd, SHUT_WR);
	tell(scene, " shut ");
	tell_pipe(scene, send_to(fd, "hello", 5, 0, &address));
	prepare(scene, !socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	tell(scene, " unix ");
	tell_pipe(scene, send_to(pair[0], "x", 1, 0, &address));
	prepare(scene, address_parse_unix(&address, "@somebody"));
	tell(scene, " unix ");
	tell_pipe(scene, send_to(pair[0], "x", 1, 0, &address));
	prepare(scene, !socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	tell(scene, " seqpacket ");
	tell_pipe(scene, send_to(pair[0], "x", 1, 0, &address));
	tell_arrived(scene, pair[1]);
	close(pair[1]);
	tell(scene, " closed ");
	tell_pipe(scene, send_to(pair[0], "x", 1, 0, &address));
}

static void run_fastopen(struct scene *scene)
{
	struct address address, none = {.length = sizeof(struct sockaddr_in)};
	uint16_t port = 0;
	int listener = address_listen("127.0.0.1", 0, 0, &port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), queue = 5;

	setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue));
	address = address_ip4("127.0.0.1", port);
	tell_result(scene, send_to(fd, "hello", 5, MSG_FASTOPEN, &address));
	tell_arrived(scene, accept(listener, NULL, NULL));
	tell(scene, " again ");
	tell_result(scene, send_to(fd, "hello", 5, MSG_FASTOPEN, &address));
	tell(scene, " non-blocking ");
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	tell_result(scene, send_to(fd, "hello", 5, MSG_FASTOPEN, &address));
	tell(scene, " AF_UNSPEC ");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	tell_result(scene, send_to(fd, "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, &none));
	tell(scene, " no address ");
	tell_result(scene, raw(SYS_sendto, fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, 0, 0));
}

static const char *const names[] = {"to", "./to", "dir/../to", "missing", "missing/x", "regular",
	"dir", "loop", "dangling", "tolink", "closed/x", "stream", "@parity-nobody", "to/", "shut",
	"/proc/self/cwd/to", "null"};

static void run_unix(struct scene *scene)
{
	const char *name = *(const char *const *)scene->data;
	struct address to, stream, shut, named;
	int receiving = socket(AF_UNIX, SOCK_DGRAM, 0), streaming = socket(AF_UNIX, SOCK_STREAM, 0);
	int gone = socket(AF_UNIX, SOCK_DGRAM, 0), fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	prepare(scene, address_parse_unix(&to, "to") && address_parse_unix(&stream, "stream") &&
			       address_parse_unix(&shut, "shut") &&
			       address_parse_unix(&named, name) && !symlink("to", "tolink"));
	prepare(scene,
		!bind(receiving, (struct sockaddr *)&to.storage, to.length) &&
			!bind(streaming, (struct sockaddr *)&stream.storage, stream.length) &&
			!bind(gone, (struct sockaddr *)&shut.storage, shut.length));
	close(gone);
	tell_result(scene, send_to(fd, "hello", 5, 0, &named));
	tell_arrived(scene, receiving);
	tell(scene, " connected elsewhere ");
	prepare(scene, !connect(fd, (struct sockaddr *)&to.storage, to.length));
	tell_result(scene, send_to(fd, "hello", 5, 0, &named));
	tell(scene, " stream ");
	tell_result(scene, send_to(socket(AF_UNIX, SOCK_STREAM, 0), "x", 1, MSG_NOSIGNAL, &named));
}

static void run_unix_length(struct scene *scene)
{
	static const int lengths[] = {0, 1, 2, 3, 4, 5, 109, 110, 111, 128, 129, -1};
	struct sockaddr_un un[2] = {{.sun_family = AF_UNIX, .sun_path = "to"}};
	int to = socket(AF_UNIX, SOCK_DGRAM, 0), fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	prepare(scene, !bind(to, (struct sockaddr *)un, PATH_OFFSET + 3));
	for (size_t i = 0; i < array_length(lengths); i++) {
		tell(scene, " %d ", lengths[i]);
		tell_result(scene, raw(SYS_sendto, fd, "x", 1, 0, un, lengths[i]));
	}
	tell_arrived(scene, to);
}

/* A receiver that does not read: the sender waits, or is told. */
static void run_full(struct scene *scene)
{
	struct timeval timeout = {.tv_usec = 100000};
	struct address to;
	int receiving = socket(AF_UNIX, SOCK_DGRAM, 0), fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	int sent = 0;

	prepare(scene, address_parse_unix(&to, "to") &&
			       !bind(receiving, (struct sockaddr *)&to.storage, to.length));
	while (send_to(fd, "x", 1, MSG_DONTWAIT, &to) == 1 && sent < 10000) {
		sent++;
	}
	tell(scene, "%d ", sent);
	tell_result(scene, send_to(fd, "x", 1, MSG_DONTWAIT, &to));
	prepare(scene, !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)));
	tell(scene, " SO_SNDTIMEO ");
	tell_result(scene, send_to(fd, "x", 1, 0, &to));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	tell(scene, " O_NONBLOCK ");
	tell_result(scene, send_to(fd, "x", 1, 0, &to));
}

static void run_not_a_socket(struct scene *scene)
{
	struct address address = address_ip4("127.0.0.1", 9);
	int file = raw_open("regular", O_RDWR, 0), path = raw_open("regular", O_PATH, 0);

	tell_result(scene, send_to(file, "x", 1, 0, &address));
	tell(scene, " O_PATH ");
	tell_result(scene, send_to(path, "x", 1, 0, &address));
	tell(scene, " closed ");
	tell_result(scene, send_to(77, "x", 1, 0, &address));
	tell(scene, " bad address ");
	tell_result(scene, raw(SYS_sendto, file, "x", 1, 0, 8, 16));
	tell(scene, " listener ");
	tell_result(scene, send_to(address_listen("127.0.0.1", 0, 0, &(uint16_t){0}), "x", 1,
				   MSG_NOSIGNAL, &address));
}

/* A question to the kernel, as getifaddrs(3) asks it. */
static void run_netlink(struct scene *scene)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} question = {{sizeof(question), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 7, 0}, {0}};
	struct address address = {.length = sizeof(struct sockaddr_nl)};
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	char answer[8192];

	address.storage.ss_family = AF_NETLINK;
	tell_result(scene, send_to(fd, &question, sizeof(question), 0, &address));
	long got = raw(SYS_recvfrom, fd, answer, sizeof(answer), 0, 0, 0);
	const struct nlmsghdr *header = (const void *)answer;
	tell(scene, " answer=%d type=%d seq=%u", got > 0, header->nlmsg_type, header->nlmsg_seq);
	((struct sockaddr_nl *)&address.storage)->nl_pid = 1;
	tell(scene, " another's ");
	tell_result(scene, send_to(fd, &question, sizeof(question), 0, &address));
}

struct send_case {
	const char *name;
	case_function *function;
	int data;
};

static const struct send_case sends[] = {
	{"udp", run_datagram, AF_INET},
	{"udp6", run_datagram, AF_INET6},
	{"sizes", run_sizes, 0},
	{"pointer", run_pointer, 0},
	{"special-hosts", run_special, 0},
	{"connected", run_connected, 0},
	{"stream", run_stream, 0},
	{"fastopen", run_fastopen, 0},
	{"unix-length", run_unix_length, 0},
	{"full", run_full, 0},
	{"not-a-socket", run_not_a_socket, 0},
	{"netlink", run_netlink, 0},
};

void cases_send(struct runner *runner)
{
	static const socklen_t lengths[] = {
		0, 1, 2, 7, 15, 16, 17, 23, 24, 27, 28, 29, 128, 129, 0x80000000};
	static const sa_family_t families[] = {
		AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, 45, 65535};

	for (size_t i = 0; i < array_length(sends); i++) {
		runner_case(runner, sends[i].function, &sends[i].data, "send/%s", sends[i].name);
	}
	for (size_t i = 0; i < array_length(lengths); i++) {
		runner_case(runner, run_length, &lengths[i], "send/length/%u", lengths[i]);
	}
	for (size_t i = 0; i < array_length(families); i++) {
		runner_case(runner, run_family, &families[i], "send/family/%u", families[i]);
	}
	for (size_t i = 0; i < array_length(names); i++) {
		runner_case(runner, run_unix, &names[i], "send/unix/%s", names[i]);
	}
}
