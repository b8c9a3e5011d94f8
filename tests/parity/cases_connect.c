/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect over IP, on the loopback interface only: every state of a socket, every malformed
 * address, blocking and not.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "tests/common/address.h"
#include "tests/parity/parity.h"

#define PAGE 4096

static long connect_to(int fd, const struct address *address)
{
	return raw(SYS_connect, fd, &address->storage, address->length);
}

static int make_socket(struct scene *scene, int family, int type)
{
	int fd = socket(family, type, 0);

	prepare(scene, fd >= 0);
	return fd;
}

/* A listener on a free port, and its address. */
static int make_listener(struct scene *scene, struct address *address)
{
	uint16_t port = 0;
	int fd = address_listen("127.0.0.1", 0, 0, &port);

	prepare(scene, fd >= 0);
	*address = address_ip4("127.0.0.1", port);
	return fd;
}

/* A port on which nobody listens: taken, so that nobody else gets it. */
static int make_refusing(struct scene *scene, struct address *address, int type)
{
	int fd = make_socket(scene, AF_INET, type);

	*address = address_ip4("127.0.0.1", 0);
	prepare(scene,
		!bind(fd, (struct sockaddr *)&address->storage, address->length) &&
			!getsockname(fd, (struct sockaddr *)&address->storage, &address->length));
	return fd;
}

/* The state afterwards: error, peer's family, writability, pending error. */
static void tell_state(struct scene *scene, int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLOUT | POLLIN};
	struct sockaddr_storage peer = {0};
	socklen_t length = sizeof(peer);
	int error = -1;

	poll(&poller, 1, 200);
	tell(scene, " poll=%x", (unsigned int)poller.revents);
	if (getpeername(fd, (struct sockaddr *)&peer, &length)) {
		tell(scene, " peer=%s", observe_errno(errno));
	} else {
		tell(scene, " peer=%d/%u", peer.ss_family, length);
	}
	length = sizeof(error);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	tell(scene, " error=%d fl=%o", error, (unsigned int)fcntl(fd, F_GETFL));
}

static void run_stream(struct scene *scene)
{
	int nonblocking = *(const int *)scene->data;
	struct address address;
	int fd = make_socket(scene, AF_INET, SOCK_STREAM | nonblocking);

	make_listener(scene, &address);
	tell_result(scene, connect_to(fd, &address));
	tell_state(scene, fd);
	tell(scene, " again ");
	tell_result(scene, connect_to(fd, &address));
	tell(scene, " again ");
	tell_result(scene, connect_to(fd, &address));
}

static void run_refused(struct scene *scene)
{
	int nonblocking = *(const int *)scene->data;
	struct address address;
	int fd = make_socket(scene, AF_INET, SOCK_STREAM | nonblocking);

	make_refusing(scene, &address, SOCK_STREAM);
	tell_result(scene, connect_to(fd, &address));
	tell_state(scene, fd);
	tell(scene, " again ");
	tell_result(scene, connect_to(fd, &address));
}

/* A listener whose backlog is full does not answer: the connection hangs. */
static void run_hanging(struct scene *scene)
{
	int timeout_ms = *(const int *)scene->data;
	struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	int fd = make_socket(scene, AF_INET, SOCK_STREAM | (timeout_ms ? 0 : SOCK_NONBLOCK));
	struct address address;
	int listener = make_listener(scene, &address);

	prepare(scene, !listen(listener, 0));
	for (int i = 0; i < 3; i++) {
		int filler = make_socket(scene, AF_INET, SOCK_STREAM | SOCK_NONBLOCK);

		connect(filler, (struct sockaddr *)&address.storage, address.length);
	}
	usleep(50000);
	prepare(scene, !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)));
	tell_result(scene, connect_to(fd, &address));
	tell(scene, " again ");
	tell_result(scene, connect_to(fd, &address));
	tell_state(scene, fd);
	address.storage.ss_family = AF_UNSPEC;
	tell(scene, " AF_UNSPEC ");
	tell_result(scene, connect_to(fd, &address));
}

static void run_unspec(struct scene *scene)
{
	int type = *(const int *)scene->data;
	struct address address, none = {.length = sizeof(struct sockaddr_in)};
	int fd = make_socket(scene, AF_INET, type);

	make_listener(scene, &address);
	tell_result(scene, connect_to(fd, &address));
	tell(scene, " AF_UNSPEC ");
	tell_result(scene, connect_to(fd, &none));
	tell_state(scene, fd);
	tell(scene, " again ");
	tell_result(scene, connect_to(fd, &address));
	none.length = 2;
	tell(scene, " short AF_UNSPEC ");
	tell_result(scene, connect_to(fd, &none));
	tell_state(scene, fd);
}

static void run_unspec_address(struct scene *scene)
{
	struct address address;
	int fd = make_socket(scene, AF_INET, SOCK_STREAM);

	make_listener(scene, &address);
	address.storage.ss_family = AF_UNSPEC; /* bind lets such an address pass, connect not */
	tell_result(scene, connect_to(fd, &address));
	tell_state(scene, fd);
}

static void run_datagram(struct scene *scene)
{
	struct address address, other;
	int fd = make_socket(scene, AF_INET, SOCK_DGRAM);

	make_refusing(scene, &address, SOCK_DGRAM);
	make_refusing(scene, &other, SOCK_DGRAM);
	tell_result(scene, connect_to(fd, &address));
	tell_state(scene, fd);
	tell(scene, " send=%ld", raw(SYS_write, fd, "x", 1));
	tell(scene, " other ");
	tell_result(scene, connect_to(fd, &other));
	tell_state(scene, fd);
	tell(scene, " port 0 ");
	other = address_ip4("127.0.0.1", 0);
	tell_result(scene, connect_to(fd, &other));
	tell_state(scene, fd);
}

static void run_length(struct scene *scene)
{
	struct address address;
	int fd = make_socket(scene, AF_INET, SOCK_DGRAM);
	socklen_t length = *(const socklen_t *)scene->data;

	make_refusing(scene, &address, SOCK_DGRAM);
	address.length = length;
	tell_result(scene, connect_to(fd, &address));
	tell_state(scene, fd);
	fd = make_socket(scene, AF_INET, SOCK_STREAM);
	tell(scene, " stream ");
	tell_result(scene, connect_to(fd, &address));
	fd = make_socket(scene, AF_INET6, SOCK_DGRAM);
	tell(scene, " inet6 socket ");
	tell_result(scene, connect_to(fd, &address));
}

static void run_length6(struct scene *scene)
{
	struct address address = address_ip6("::1", 9);
	int fd = make_socket(scene, AF_INET6, SOCK_DGRAM);

	address.length = *(const socklen_t *)scene->data;
	tell_result(scene, connect_to(fd, &address));
	tell_state(scene, fd);
}

static void run_family(struct scene *scene)
{
	struct address address = address_ip4("127.0.0.1", 9);
	int fd = make_socket(scene, AF_INET, SOCK_STREAM);

	address.storage.ss_family = *(const sa_family_t *)scene->data;
	tell_result(scene, connect_to(fd, &address));
	fd = make_socket(scene, AF_INET, SOCK_DGRAM);
	tell(scene, " datagram ");
	tell_result(scene, connect_to(fd, &address));
	fd = make_socket(scene, AF_INET6, SOCK_STREAM);
	tell(scene, " inet6 ");
	tell_result(scene, connect_to(fd, &address));
	fd = make_socket(scene, AF_UNIX, SOCK_STREAM);
	tell(scene, " unix ");
	tell_result(scene, connect_to(fd, &address));
	fd = make_socket(scene, AF_NETLINK, SOCK_RAW);
	tell(scene, " netlink ");
	tell_result(scene, connect_to(fd, &address));
}

static void run_pointer(struct scene *scene)
{
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct address address = address_ip4("127.0.0.1", 9);
	int fd = make_socket(scene, AF_INET, SOCK_DGRAM);

	prepare(scene, pages != MAP_FAILED && !munmap(pages + PAGE, PAGE));
	memcpy(pages + PAGE - 16, &address.storage, 16);
	tell_result(scene, raw(SYS_connect, fd, pages + PAGE - 16, 16));
	tell(scene, " longer ");
	tell_result(scene, raw(SYS_connect, fd, pages + PAGE - 16, 17));
	tell(scene, " cut ");
	tell_result(scene, raw(SYS_connect, fd, pages + PAGE - 15, 16));
	tell(scene, " unmapped ");
	tell_result(scene, raw(SYS_connect, fd, pages + PAGE, 16));
	tell(scene, " NULL ");
	tell_result(scene, raw(SYS_connect, fd, NULL, 16));
	tell(scene, " NULL, 0 ");
	tell_result(scene, raw(SYS_connect, fd, NULL, 0));
	tell(scene, " NULL, 129 ");
	tell_result(scene, raw(SYS_connect, fd, NULL, 129));
	tell(scene, " closed and NULL ");
	tell_result(scene, raw(SYS_connect, 99, NULL, 16));
}

static void run_not_a_socket(struct scene *scene)
{
	struct address address = address_ip4("127.0.0.1", 9);
	int fds[] = {raw_open("regular", O_RDWR, 0), raw_open("/dev/null", O_RDWR, 0),
		raw_open("dir", O_RDONLY, 0), raw_open("regular", O_PATH, 0), 99, -1, 0x7fffffff};

	for (size_t i = 0; i < array_length(fds); i++) {
		tell(scene, " %zu ", i);
		tell_result(scene, connect_to(fds[i], &address));
	}
	tell(scene, " upper half ");
	fds[0] = make_socket(scene, AF_INET, SOCK_DGRAM);
	tell_result(scene, raw(SYS_connect, (1ul << 32) | (unsigned int)fds[0], &address.storage,
				   (1ul << 32) | address.length));
}

static void run_listening(struct scene *scene)
{
	struct address address;
	int fd = make_listener(scene, &address);

	tell_result(scene, connect_to(fd, &address));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	fd = accept(fd, NULL, NULL);
	tell(scene, " accepted %s", fd < 0 ? observe_errno(errno) : "one");
}

/* From the accepting side: who has connected, and that data go through. */
static void run_through(struct scene *scene)
{
	struct address address;
	int listener = make_listener(scene, &address);
	int fd = make_socket(scene, AF_INET, SOCK_STREAM), server;
	struct sockaddr_in name = {0}, peer = {0};
	socklen_t length = sizeof(name);
	char data[8] = "";

	tell_result(scene, connect_to(fd, &address));
	server = accept(listener, (struct sockaddr *)&peer, &length);
	getsockname(fd, (struct sockaddr *)&name, &length);
	tell(scene, " same=%d", name.sin_port == peer.sin_port && peer.sin_port != 0);
	prepare(scene, write(fd, "there", 5) == 5);
	tell(scene, " read=%ld %s", raw(SYS_read, server, data, 5), data);
}

static void run_six(struct scene *scene)
{
	static const char *const hosts[] = {
		"::1", "::ffff:127.0.0.1", "::", "ff02::1", "::ffff:127.0.0.2"};
	struct address address, six;
	int fd;

	make_listener(scene, &address);
	for (size_t i = 0; i < array_length(hosts); i++) {
		six = address_ip6(
			hosts[i], ntohs(((struct sockaddr_in *)&address.storage)->sin_port));
		fd = make_socket(scene, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK);
		tell(scene, " %s ", hosts[i]);
		tell_result(scene, connect_to(fd, &six));
		tell_state(scene, fd);
		close(fd);
	}
	fd = make_socket(scene, AF_INET6, SOCK_STREAM);
	tell(scene, " inet on inet6 ");
	tell_result(scene, connect_to(fd, &address));
	fd = make_socket(scene, AF_INET, SOCK_STREAM);
	tell(scene, " inet6 on inet ");
	tell_result(scene, connect_to(fd, &six));
}

static void run_special_hosts(struct scene *scene)
{
	static const char *const hosts[] = {
		"0.0.0.0", "127.255.255.254", "255.255.255.255", "224.0.0.1"};
	struct address address, other;

	make_listener(scene, &address);
	for (size_t i = 0; i < array_length(hosts); i++) {
		int fd = make_socket(scene, AF_INET, SOCK_STREAM | SOCK_NONBLOCK);

		other = address_ip4(
			hosts[i], ntohs(((struct sockaddr_in *)&address.storage)->sin_port));
		tell(scene, " %s ", hosts[i]);
		tell_result(scene, connect_to(fd, &other));
		tell_state(scene, fd);
		close(fd);
	}
}

struct connect_case {
	const char *name;
	case_function *function;
	int data;
};

static const struct connect_case connects[] = {
	{"tcp/blocking", run_stream, 0},
	{"tcp/non-blocking", run_stream, SOCK_NONBLOCK},
	{"tcp/refused", run_refused, 0},
	{"tcp/refused-non-blocking", run_refused, SOCK_NONBLOCK},
	{"tcp/hanging-non-blocking", run_hanging, 0},
	{"tcp/hanging-SO_SNDTIMEO", run_hanging, 300},
	{"tcp/AF_UNSPEC", run_unspec, SOCK_STREAM},
	{"udp/AF_UNSPEC", run_unspec, SOCK_DGRAM},
	{"tcp/AF_UNSPEC-with-address", run_unspec_address, 0},
	{"udp/connected", run_datagram, 0},
	{"pointer", run_pointer, 0},
	{"not-a-socket", run_not_a_socket, 0},
	{"listening", run_listening, 0},
	{"tcp/through", run_through, 0},
	{"ip6", run_six, 0},
	{"special-hosts", run_special_hosts, 0},
};

void cases_connect(struct runner *runner)
{
	static const socklen_t lengths[] = {
		0, 1, 2, 7, 8, 15, 16, 17, 28, 110, 128, 129, 0x7fffffff, 0x80000000, 0xffffffff};
	static const socklen_t lengths6[] = {0, 2, 8, 16, 23, 24, 27, 28, 29, 128, 129};
	static const sa_family_t families[] = {AF_UNSPEC, AF_UNIX, AF_INET6, AF_NETLINK, 45, 65535};

	for (size_t i = 0; i < array_length(connects); i++) {
		runner_case(runner, connects[i].function, &connects[i].data, "connect/%s",
			connects[i].name);
	}
	for (size_t i = 0; i < array_length(lengths); i++) {
		runner_case(runner, run_length, &lengths[i], "connect/length/%u", lengths[i]);
	}
	for (size_t i = 0; i < array_length(lengths6); i++) {
		runner_case(runner, run_length6, &lengths6[i], "connect/length6/%u", lengths6[i]);
	}
	for (size_t i = 0; i < array_length(families); i++) {
		runner_case(runner, run_family, &families[i], "connect/family/%u", families[i]);
	}
}
