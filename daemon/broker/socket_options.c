/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/socket_options.h"

#include <errno.h>
#include <linux/in6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/told_options.h"

#define VALUE_MAX 16 /* struct timeval, and a name of a congestion control */

enum kind { STREAM_4, STREAM_6, DATAGRAM_4, DATAGRAM_6, KINDS };

enum {
	ON_STREAM = 1u << STREAM_4 | 1u << STREAM_6,
	ON_DATAGRAM = 1u << DATAGRAM_4 | 1u << DATAGRAM_6,
	ON_SIX = 1u << STREAM_6 | 1u << DATAGRAM_6,
	ON_ALL = ON_STREAM | ON_DATAGRAM,
};

static const struct option {
	int level, name;
	unsigned int kinds;
	bool reads_double; /* the kernel tells twice what it was told */
} options[] = {
	{SOL_SOCKET, SO_REUSEADDR, ON_ALL, false},
	{SOL_SOCKET, SO_REUSEPORT, ON_ALL, false},
	{SOL_SOCKET, SO_KEEPALIVE, ON_STREAM, false},
	{SOL_SOCKET, SO_LINGER, ON_STREAM, false},
	{SOL_SOCKET, SO_OOBINLINE, ON_STREAM, false},
	{SOL_SOCKET, SO_BROADCAST, ON_DATAGRAM, false},
	{SOL_SOCKET, SO_DONTROUTE, ON_DATAGRAM, false},
	{SOL_SOCKET, SO_SNDBUF, ON_ALL, true},
	{SOL_SOCKET, SO_RCVBUF, ON_ALL, true},
	{SOL_SOCKET, SO_RCVLOWAT, ON_STREAM, false},
	{SOL_SOCKET, SO_RCVTIMEO, ON_ALL, false},
	{SOL_SOCKET, SO_SNDTIMEO, ON_ALL, false},
	{SOL_SOCKET, SO_MARK, ON_ALL, false},
	{SOL_SOCKET, SO_TIMESTAMP, ON_DATAGRAM, false},
	{SOL_SOCKET, SO_TIMESTAMPNS, ON_DATAGRAM, false},
	{SOL_SOCKET, SO_TIMESTAMPING, ON_DATAGRAM, false},
	{SOL_SOCKET, SO_RXQ_OVFL, ON_DATAGRAM, false},
	{SOL_SOCKET, SO_NO_CHECK, ON_DATAGRAM, false},
	{SOL_SOCKET, SO_ZEROCOPY, ON_ALL, false},
	{IPPROTO_IP, IP_TOS, ON_ALL, false},
	{SOL_SOCKET, SO_PRIORITY, ON_ALL, false}, /* behind IP_TOS, which sets it, too */
	{IPPROTO_IP, IP_TTL, ON_ALL, false},
	{IPPROTO_IP, IP_MTU_DISCOVER, ON_ALL, false},
	{IPPROTO_IP, IP_FREEBIND, ON_ALL, false},
	{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, ON_ALL, false},
	{IPPROTO_IP, IP_RECVERR, ON_DATAGRAM, false},
	{IPPROTO_IP, IP_PKTINFO, ON_DATAGRAM, false},
	{IPPROTO_IP, IP_RECVTOS, ON_DATAGRAM, false},
	{IPPROTO_IP, IP_RECVTTL, ON_DATAGRAM, false},
	{IPPROTO_IP, IP_MULTICAST_TTL, ON_DATAGRAM, false},
	{IPPROTO_IP, IP_MULTICAST_LOOP, ON_DATAGRAM, false},
	{IPPROTO_IPV6, IPV6_V6ONLY, ON_SIX, false},
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS, ON_SIX, false},
	{IPPROTO_IPV6, IPV6_MTU_DISCOVER, ON_SIX, false},
	{IPPROTO_IPV6, IPV6_TCLASS, ON_SIX, false},
	{IPPROTO_IPV6, IPV6_RECVERR, 1u << DATAGRAM_6, false},
	{IPPROTO_IPV6, IPV6_RECVPKTINFO, 1u << DATAGRAM_6, false},
	{IPPROTO_IPV6, IPV6_RECVTCLASS, 1u << DATAGRAM_6, false},
	{IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1u << DATAGRAM_6, false},
	{IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1u << DATAGRAM_6, false},
	{IPPROTO_TCP, TCP_NODELAY, ON_STREAM, false},
	{IPPROTO_TCP, TCP_CORK, ON_STREAM, false},
	{IPPROTO_TCP, TCP_MAXSEG, ON_STREAM, false},
	{IPPROTO_TCP, TCP_KEEPIDLE, ON_STREAM, false},
	{IPPROTO_TCP, TCP_KEEPINTVL, ON_STREAM, false},
	{IPPROTO_TCP, TCP_KEEPCNT, ON_STREAM, false},
	{IPPROTO_TCP, TCP_SYNCNT, ON_STREAM, false},
	{IPPROTO_TCP, TCP_LINGER2, ON_STREAM, false},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, ON_STREAM, false},
	{IPPROTO_TCP, TCP_CONGESTION, ON_STREAM, false},
	{IPPROTO_TCP, TCP_FASTOPEN_CONNECT, ON_STREAM, false},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT, ON_STREAM, false},
	{IPPROTO_UDP, UDP_CORK, ON_DATAGRAM, false},
	{IPPROTO_UDP, UDP_SEGMENT, ON_DATAGRAM, false},
	{IPPROTO_UDP, UDP_GRO, ON_DATAGRAM, false},
};

struct value {
	socklen_t size; /* 0: the socket has no such option */
	char bytes[VALUE_MAX];
};

struct socket_defaults {
	struct value values[KINDS][array_length(options)];
	bool told[array_length(options)]; /* told_options.h */
};

static struct value read_value(int socket, const struct option *option)
{
	struct value value = {.size = VALUE_MAX};

	if (getsockopt(socket, option->level, option->name, value.bytes, &value.size) < 0) {
		value.size = 0;
	}
	return value;
}

static int look_at(struct socket_defaults *defaults, enum kind kind)
{
	int domain = (1u << kind) & ON_SIX ? AF_INET6 : AF_INET;
	int type = (1u << kind) & ON_STREAM ? SOCK_STREAM : SOCK_DGRAM;
	cleanup_fd int fd = socket(domain, type | SOCK_CLOEXEC, 0);

	/* A machine can be without IPv6: then there is no such socket to be copied either. */
	if (fd < 0) {
		return errno == EAFNOSUPPORT ? 0 : -errno;
	}
	for (size_t i = 0; i < array_length(options); i++) {
		if (options[i].kinds & (1u << kind)) {
			defaults->values[kind][i] = read_value(fd, &options[i]);
		}
	}
	return 0;
}

int socket_defaults_new(struct socket_defaults **defaultsp)
{
	cleanup_free struct socket_defaults *defaults = calloc(1, sizeof(*defaults));
	int error = defaults ? 0 : -ENOMEM;

	for (enum kind kind = 0; kind < KINDS && error == 0; kind++) {
		error = look_at(defaults, kind);
	}
	for (size_t i = 0; i < array_length(options) && error == 0; i++) {
		defaults->told[i] = option_is_told(options[i].level, options[i].name);
	}
	if (error == 0) {
		*defaultsp = steal_pointer(&defaults);
	}
	return error;
}

static void set_value(int socket, const struct option *option, struct value *value)
{
	int number;

	if (option->reads_double) {
		memcpy(&number, value->bytes, sizeof(number));
		number /= 2;
		memcpy(value->bytes, &number, sizeof(number));
	}
	(void)setsockopt(socket, option->level, option->name, value->bytes, value->size);
}

void socket_options_copy(
	const struct socket_defaults *defaults, bool all, int domain, int type, int from, int to)
{
	enum kind kind = type == SOCK_STREAM  ? domain == AF_INET6 ? STREAM_6 : STREAM_4
			 : domain == AF_INET6 ? DATAGRAM_6
					      : DATAGRAM_4;

	for (size_t i = 0; i < array_length(options); i++) {
		const struct value *usual = &defaults->values[kind][i];
		if (usual->size == 0 || (defaults->told[i] && !all)) {
			continue;
		}
		struct value value = read_value(from, &options[i]);
		if (value.size == usual->size &&
			memcmp(value.bytes, usual->bytes, value.size) != 0) {
			set_value(to, &options[i], &value);
		}
	}
}
