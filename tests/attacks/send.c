/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams to a port or a unix socket that is denied, each by another call, form of the address or
 * state of the socket; and binds of what may not be bound. It is reached when it has arrived.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "tests/attacks/attack.h"
#include "tests/common/address.h"

/* Bound to a port of the loopback, which is our own: what is denied is sending there. */
static int receiver(uint16_t port, bool six)
{
	struct address address = six ? address_ip6("::1", port) : address_ip4("127.0.0.1", port);
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

	prepare(fd >= 0 && !bind(fd, (struct sockaddr *)&address.storage, address.length));
	return fd;
}

/* What the call said, or whether it has arrived. */
static long arrived(int fd, long result)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	if (result < 0) {
		return result;
	}
	return poll(&poller, 1, 200) == 1 ? 0 : -ESTALE;
}

static long send_to(int fd, const struct address *address)
{
	return raw(SYS_sendto, fd, "x", 1, MSG_NOSIGNAL, &address->storage, address->length);
}

static struct msghdr message_to(struct iovec *part, struct address *address)
{
	return (struct msghdr){.msg_name = &address->storage,
		.msg_namelen = address->length,
		.msg_iov = part,
		.msg_iovlen = 1};
}

static uint16_t local(const struct world *world)
{
	return world->twin ? world->allowed_port : world->local_port;
}

static long by_sendto(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));
	int to = receiver(world_port(world), false);

	return arrived(to, send_to(socket(AF_INET, SOCK_DGRAM, 0), &address));
}

static long by_sendmsg(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));
	struct iovec part = {(char[]){"x"}, 1};
	struct msghdr message = message_to(&part, &address);
	int to = receiver(world_port(world), false);

	return arrived(to, raw(SYS_sendmsg, socket(AF_INET, SOCK_DGRAM, 0), &message, 0));
}

static long by_sendmmsg(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));
	struct iovec part = {(char[]){"x"}, 1};
	struct mmsghdr message = {.msg_hdr = message_to(&part, &address)};
	int to = receiver(world_port(world), false);

	return arrived(to, raw(SYS_sendmmsg, socket(AF_INET, SOCK_DGRAM, 0), &message, 1, 0));
}

/* Behind one that is allowed: the call succeeds, for that one. */
static long by_second_message(const struct world *world)
{
	struct address allowed = address_ip4("127.0.0.1", world->allowed_port);
	struct address address = address_ip4("127.0.0.1", world_port(world));
	struct iovec part = {(char[]){"x"}, 1};
	struct mmsghdr messages[2] = {
		{.msg_hdr = message_to(&part, &allowed)}, {.msg_hdr = message_to(&part, &address)}};
	int to = receiver(world_port(world), false), fd = socket(AF_INET, SOCK_DGRAM, 0);
	long result = raw(SYS_sendmmsg, fd, messages, 2, 0);

	if (result == 1) {
		result = raw(SYS_sendmmsg, fd, messages + 1, 1, 0);
	}
	return arrived(to, result);
}

/* To one while connected to another. */
static long while_connected(const struct world *world)
{
	struct address allowed = address_ip4("127.0.0.1", world->allowed_port);
	struct address address = address_ip4("127.0.0.1", world_port(world));
	int to = receiver(world_port(world), false), fd = socket(AF_INET, SOCK_DGRAM, 0);

	prepare(!connect(fd, (struct sockaddr *)&allowed.storage, allowed.length));
	return arrived(to, send_to(fd, &address));
}

static long mapped(const struct world *world)
{
	struct address address = address_ip6("::ffff:127.0.0.1", local(world));
	int to = receiver(local(world), false);

	return arrived(to, send_to(socket(AF_INET6, SOCK_DGRAM, 0), &address));
}

static long inet_on_inet6(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", local(world));
	int to = receiver(local(world), false);

	return arrived(to, send_to(socket(AF_INET6, SOCK_DGRAM, 0), &address));
}

static long any(const struct world *world)
{
	struct address address = address_ip4("0.0.0.0", local(world));
	int to = receiver(local(world), false);

	return arrived(to, send_to(socket(AF_INET, SOCK_DGRAM, 0), &address));
}

static long any6(const struct world *world)
{
	struct address address = address_ip6("::", local(world));
	int to = receiver(local(world), true);

	return arrived(to, send_to(socket(AF_INET6, SOCK_DGRAM, 0), &address));
}

/* UDP takes AF_UNSPEC for AF_INET, where connect(2) would end a connection. */
static long no_family(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));
	int to = receiver(world_port(world), false);

	address.storage.ss_family = AF_UNSPEC;
	return arrived(to, send_to(socket(AF_INET, SOCK_DGRAM, 0), &address));
}

static long oversized(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));
	int to = receiver(world_port(world), false);

	address.length = sizeof(address.storage);
	return arrived(to, send_to(socket(AF_INET, SOCK_DGRAM, 0), &address));
}

/* In a header whose length is beyond every address, which the kernel cuts off. */
static long overlong_header(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));
	struct iovec part = {(char[]){"x"}, 1};
	struct msghdr message = message_to(&part, &address);
	int to = receiver(world_port(world), false);

	message.msg_namelen = 1 << 20;
	return arrived(to, raw(SYS_sendmsg, socket(AF_INET, SOCK_DGRAM, 0), &message, 0));
}

static long lite(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));
	struct address bound = address;
	int to = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);

	prepare(to >= 0 && !bind(to, (struct sockaddr *)&bound.storage, bound.length));
	return arrived(to, send_to(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), &address));
}

/* Newer kernels let only those write routes who may write packets. */
static void may_route(void)
{
	if (geteuid() != 0) {
		attack_impossible("not without CAP_NET_RAW");
	}
}

/* The control message names the first host of the way: the packet goes there, whatever is named. */
static long routed(const struct world *world)
{
	may_route();
	struct address allowed = address_ip4("127.0.0.1", world->allowed_port);
	struct iovec part = {(char[]){"x"}, 1};
	struct msghdr message = message_to(&part, &allowed);
	union {
		struct cmsghdr header;
		char room[64];
	} control = {.header = {CMSG_LEN(8), IPPROTO_IP, world->twin ? IP_TOS : IP_RETOPTS}};
	/* Loose source route by 127.0.0.9. */
	static const unsigned char route[8] = {131, 7, 4, 127, 0, 0, 9, 0};

	memcpy(CMSG_DATA(&control.header), route, sizeof(route));
	message.msg_control = &control;
	message.msg_controllen = world->twin ? 0 : CMSG_SPACE(8);
	return raw(SYS_sendmsg, socket(AF_INET, SOCK_DGRAM, 0), &message, 0) == 1 ? 0 : -errno;
}

static long routed_socket(const struct world *world)
{
	static const unsigned char route[8] = {131, 7, 4, 127, 0, 0, 9, 0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), tos = 0x10;

	may_route();
	return world->twin ? raw(SYS_setsockopt, fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos))
			   : raw(SYS_setsockopt, fd, IPPROTO_IP, IP_OPTIONS, route, sizeof(route));
}

static long to_unix(const struct world *world, int fd)
{
	struct address address;

	prepare(address_parse_unix(&address, world->twin ? "dirA/datagram" : "dirS/datagram"));
	return send_to(fd, &address);
}

static long unix_path(const struct world *world)
{
	return to_unix(world, socket(AF_UNIX, SOCK_DGRAM, 0));
}

/* One of a pair is connected, and sends elsewhere all the same. */
static long unix_pair(const struct world *world)
{
	int pair[2];

	prepare(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	return to_unix(world, pair[0]);
}

/* A hard link and a directory by another name lead to the same socket. */
static long unix_hard_link(const struct world *world)
{
	struct address address;
	long result = raw(SYS_linkat, AT_FDCWD, world->twin ? "dirA/datagram" : "dirS/datagram",
		AT_FDCWD, "dirM/datagram", 0);

	prepare(address_parse_unix(&address, "dirM/datagram"));
	return result < 0 ? result : send_to(socket(AF_UNIX, SOCK_DGRAM, 0), &address);
}

/* ---- binding ---- */

static uint16_t bind_port(const struct world *world)
{
	return world->twin ? world->allowed_port : world->stream_port;
}

static long bind_to(int family, const struct address *address)
{
	int fd = socket(family, SOCK_DGRAM, 0);

	return raw(SYS_bind, fd, &address->storage, address->length);
}

static long bind_port4(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", bind_port(world));

	return bind_to(AF_INET, &address);
}

static long bind_any(const struct world *world)
{
	struct address address = address_ip4("0.0.0.0", bind_port(world));

	return bind_to(AF_INET, &address);
}

static long bind_mapped(const struct world *world)
{
	struct address address = address_ip6("::ffff:127.0.0.1", bind_port(world));

	return bind_to(AF_INET6, &address);
}

/* bind(2) takes AF_UNSPEC for AF_INET. */
static long bind_no_family(const struct world *world)
{
	struct address address = address_ip4("0.0.0.0", bind_port(world));

	address.storage.ss_family = AF_UNSPEC;
	return bind_to(AF_INET, &address);
}

static long bind_oversized(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", bind_port(world));

	address.length = sizeof(address.storage);
	return bind_to(AF_INET, &address);
}

static long bind_path(const char *path)
{
	struct address address;

	prepare(address_parse_unix(&address, path));
	return bind_to(AF_UNIX, &address);
}

static long bind_unix(const struct world *world)
{
	return bind_path(world->twin ? "dirA/made" : "dirS/made");
}

static long bind_unix_link(const struct world *world)
{
	prepare(!symlink(world->twin ? "dirA" : "dirS", "road-directory"));
	return bind_path("road-directory/made");
}

static long bind_unix_dots(const struct world *world)
{
	return bind_path(world->twin ? "dirR/../dirA//made" : "dirA/../dirS//made");
}

static long bind_abstract(const struct world *world)
{
	return bind_path(world->twin ? "@usher-open-bound" : "@usher-secret-bound");
}

/* Nobody named an address: the kernel binds it to all of them. */
static long bind_by_listening(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (world->twin) {
		prepare(!bind(fd, (struct sockaddr *)&address.storage, address.length));
	}
	return raw(SYS_listen, fd, 5);
}

const struct attack attacks_send[] = {
	{"send-sendto", by_sendto},
	{"send-sendmsg", by_sendmsg},
	{"send-sendmmsg", by_sendmmsg},
	{"send-second-message", by_second_message},
	{"send-connected", while_connected},
	{"send-mapped", mapped},
	{"send-inet-on-inet6", inet_on_inet6},
	{"send-any", any},
	{"send-any6", any6},
	{"send-no-family", no_family},
	{"send-oversized", oversized},
	{"send-overlong-header", overlong_header},
	{"send-udplite", lite},
	{"send-routed", routed},
	{"send-routed-socket", routed_socket},
	{"send-unix", unix_path},
	{"send-unix-pair", unix_pair},
	{"send-unix-hard-link", unix_hard_link},
	{"bind-port", bind_port4},
	{"bind-any", bind_any},
	{"bind-mapped", bind_mapped},
	{"bind-no-family", bind_no_family},
	{"bind-oversized", bind_oversized},
	{"bind-unix", bind_unix},
	{"bind-unix-link", bind_unix_link},
	{"bind-unix-dots", bind_unix_dots},
	{"bind-abstract", bind_abstract},
	{"bind-by-listening", bind_by_listening},
	{NULL, NULL},
};
