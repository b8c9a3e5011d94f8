/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One port by many addresses, kinds of socket and lengths. Nothing leaves the loopback interface.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "tests/attacks/attack.h"
#include "tests/common/address.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define PROTOCOL_SMC 256 /* of AF_INET: falls back to TCP */

/* The port that is denied on the loopback addresses only; for the twin an allowed one. */
static uint16_t local(const struct world *world)
{
	return world->twin ? world->allowed_port : world->local_port;
}

static long connect_by(int family, int type, int protocol, const struct address *address)
{
	int fd = socket(family, type, protocol);

	if (fd < 0) {
		attack_impossible("no such socket here");
	}
	return raw(SYS_connect, fd, &address->storage, address->length);
}

static long connect4(const char *host, uint16_t port)
{
	struct address address = address_ip4(host, port);

	return connect_by(AF_INET, SOCK_STREAM, 0, &address);
}

static long connect6(const char *host, uint16_t port)
{
	struct address address = address_ip6(host, port);

	return connect_by(AF_INET6, SOCK_STREAM, 0, &address);
}

static long plain(const struct world *world)
{
	return connect4("127.0.0.1", world_port(world));
}

static long plain6(const struct world *world)
{
	return connect6("::1", world_port(world));
}

static long other_loopback(const struct world *world)
{
	return connect4("127.0.0.1", local(world));
}

static long mapped(const struct world *world)
{
	return connect6("::ffff:127.0.0.1", local(world));
}

static long any(const struct world *world)
{
	return connect4("0.0.0.0", local(world));
}

static long any6(const struct world *world)
{
	return connect6("::", local(world));
}

static long mapped_any(const struct world *world)
{
	return connect6("::ffff:0.0.0.0", local(world));
}

static long zone(const struct world *world)
{
	struct address address = address_ip6("::1", local(world));

	((struct sockaddr_in6 *)&address.storage)->sin6_scope_id = if_nametoindex("lo");
	((struct sockaddr_in6 *)&address.storage)->sin6_flowinfo = htonl(12345);
	return connect_by(AF_INET6, SOCK_STREAM, 0, &address);
}

static long oversized(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", local(world));

	memset((char *)&address.storage + address.length, 0xff,
		sizeof(address.storage) - address.length);
	address.length = sizeof(address.storage);
	return connect_by(AF_INET, SOCK_STREAM, 0, &address);
}

static long padded(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", local(world));

	memset(((struct sockaddr_in *)&address.storage)->sin_zero, 0xff, 8);
	return connect_by(AF_INET, SOCK_STREAM, 0, &address);
}

/* IPv6 without its scope: the old, shorter structure is still taken. */
static long undersized6(const struct world *world)
{
	struct address address = address_ip6("::1", local(world));

	address.length = 24;
	return connect_by(AF_INET6, SOCK_STREAM, 0, &address);
}

/* An IPv4 address on an IPv6 datagram socket. */
static long four_on_six(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));

	return connect_by(AF_INET6, SOCK_DGRAM, 0, &address);
}

static long datagram(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));

	return connect_by(AF_INET, SOCK_DGRAM, 0, &address);
}

static long udp_lite(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));

	return connect_by(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, &address);
}

static long multipath(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));

	return connect_by(AF_INET, SOCK_STREAM, IPPROTO_MPTCP, &address);
}

/* Sockets that speak TCP, or end as it, and are called otherwise. */
static long smc(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));

	return connect_by(AF_SMC, SOCK_STREAM, 0, &address);
}

static long smc_protocol(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));

	return connect_by(AF_INET, SOCK_STREAM, PROTOCOL_SMC, &address);
}

/* TCP fast open connects in the course of sending. */
static long fast_open(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	long result = raw(SYS_sendto, fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, &address.storage,
		address.length);

	return result == -EINPROGRESS ? 0 : result;
}

static long fast_open_message(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));
	struct iovec data = {(char[]){"x"}, 1};
	struct msghdr message = {.msg_name = &address.storage,
		.msg_namelen = address.length,
		.msg_iov = &data,
		.msg_iovlen = 1};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return raw(SYS_sendmsg, fd, &message, MSG_FASTOPEN | MSG_NOSIGNAL);
}

/* The connection is made at the first write, to what connect was told. */
static long fast_open_connect(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	prepare(!setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)));
	return raw(SYS_connect, fd, &address.storage, address.length);
}

/* Connected to what is allowed, disconnected, connected to what is not. */
static long disconnected(const struct world *world)
{
	struct address allowed = address_ip4("127.0.0.1", world->allowed_port);
	struct address address = address_ip4("127.0.0.1", local(world));
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	prepare(!connect(fd, (struct sockaddr *)&allowed.storage, allowed.length) &&
		!connect(fd, &none, sizeof(none)));
	return raw(SYS_connect, fd, &address.storage, address.length);
}

/* A socket that waits (SO_SNDTIMEO) is looked at as another one is. */
static long non_blocking(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", local(world));
	long result = connect_by(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, &address);

	return result == -EINPROGRESS ? 0 : result;
}

static long unix_connect(const char *path)
{
	struct address address;

	prepare(address_parse_unix(&address, path));
	return connect_by(AF_UNIX, SOCK_STREAM, 0, &address);
}

static long unix_path(const struct world *world)
{
	return unix_connect(world->twin ? "dirA/socket" : "dirS/socket");
}

static long unix_link(const struct world *world)
{
	prepare(!symlink(world->twin ? "dirA/socket" : "dirS/socket", "road-socket"));
	return unix_connect("road-socket");
}

static long unix_dots(const struct world *world)
{
	return unix_connect(world->twin ? "dirS/../dirA/socket" : "dirA/../dirS//socket");
}

static long unix_directory(const struct world *world)
{
	prepare(!fchdir(open(world_directory(world), O_PATH)));
	return unix_connect("./socket");
}

static long unix_descriptor(const struct world *world)
{
	int fd = raw_open(world->twin ? "dirA/socket" : "dirS/socket", O_PATH, 0);
	char path[64];

	prepare(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return unix_connect(path);
}

/* The length ends the name, not a NUL. */
static long unix_unterminated(const struct world *world)
{
	struct address address;
	struct sockaddr_un *un = (struct sockaddr_un *)&address.storage;
	const char *name = world->twin ? "dirA/socket" : "dirS/socket";

	prepare(address_parse_unix(&address, name));
	memset(un->sun_path + strlen(name), 'x', sizeof(un->sun_path) - strlen(name));
	address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	return connect_by(AF_UNIX, SOCK_STREAM, 0, &address);
}

/* Sockets of a kind that is denied altogether; the twin asks for another type. */
static long kind(const struct world *world)
{
	return raw(SYS_socket, AF_UNIX, world->twin ? SOCK_STREAM : SOCK_SEQPACKET, 0);
}

static long kind_flags(const struct world *world)
{
	return raw(SYS_socket, AF_UNIX,
		(world->twin ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static long kind_upper_half(const struct world *world)
{
	return raw(SYS_socket, (1ul << 32) | AF_UNIX,
		(1ul << 32) | (world->twin ? SOCK_STREAM : SOCK_SEQPACKET), 1ul << 32);
}

static long kind_pair(const struct world *world)
{
	int pair[2];

	return raw(SYS_socketpair, AF_UNIX, world->twin ? SOCK_STREAM : SOCK_SEQPACKET, 0, pair);
}

/* The family's own number for a protocol. */
static long kind_protocol(const struct world *world)
{
	return raw(SYS_socket, AF_UNIX, world->twin ? SOCK_STREAM : SOCK_SEQPACKET, PF_UNIX);
}

/* What AF_PACKET was before it had a number of its own, by the type of another family. */
static long kind_packet(const struct world *world)
{
	long fd = raw(SYS_socket, AF_INET, world->twin ? SOCK_DGRAM : SOCK_PACKET, 0);

	if (fd == -EPERM) {
		attack_impossible("needs CAP_NET_RAW");
	}
	return fd;
}

static long unix_abstract(const struct world *world)
{
	char name[64];

	snprintf(name, sizeof(name), "@usher-%s-%u", world->twin ? "open" : "secret",
		world->allowed_port);
	return unix_connect(name);
}

const struct attack attacks_address[] = {
	{"address-plain", plain},
	{"address-plain6", plain6},
	{"address-loopback", other_loopback},
	{"address-mapped", mapped},
	{"address-any", any},
	{"address-any6", any6},
	{"address-mapped-any", mapped_any},
	{"address-zone", zone},
	{"address-oversized", oversized},
	{"address-padded", padded},
	{"address-undersized6", undersized6},
	{"address-inet-on-inet6", four_on_six},
	{"address-datagram", datagram},
	{"address-udplite", udp_lite},
	{"address-mptcp", multipath},
	{"address-smc", smc},
	{"address-smc-protocol", smc_protocol},
	{"address-fastopen-sendto", fast_open},
	{"address-fastopen-sendmsg", fast_open_message},
	{"address-fastopen-connect", fast_open_connect},
	{"address-disconnected", disconnected},
	{"address-non-blocking", non_blocking},
	{"address-unix", unix_path},
	{"address-unix-link", unix_link},
	{"address-unix-dots", unix_dots},
	{"address-unix-directory", unix_directory},
	{"address-unix-descriptor", unix_descriptor},
	{"address-unix-unterminated", unix_unterminated},
	{"address-unix-abstract", unix_abstract},
	{"socket-kind", kind},
	{"socket-kind-flags", kind_flags},
	{"socket-kind-upper-half", kind_upper_half},
	{"socket-kind-pair", kind_pair},
	{"socket-kind-protocol", kind_protocol},
	{"socket-kind-packet", kind_packet},
	{NULL, NULL},
};
