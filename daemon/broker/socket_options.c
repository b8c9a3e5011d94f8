/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/socket_options.h"

#include <assert.h>
#include <errno.h>
#include <linux/in6.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
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
} options[] = {
	{SOL_SOCKET, SO_REUSEADDR, ON_ALL},
	{SOL_SOCKET, SO_REUSEPORT, ON_ALL},
	{SOL_SOCKET, SO_KEEPALIVE, ON_STREAM},
	{SOL_SOCKET, SO_LINGER, ON_STREAM},
	{SOL_SOCKET, SO_OOBINLINE, ON_STREAM},
	{SOL_SOCKET, SO_BROADCAST, ON_DATAGRAM},
	{SOL_SOCKET, SO_DONTROUTE, ON_DATAGRAM},
	{SOL_SOCKET, SO_RCVLOWAT, ON_STREAM},
	{SOL_SOCKET, SO_RCVTIMEO, ON_ALL},
	{SOL_SOCKET, SO_SNDTIMEO, ON_ALL},
	{SOL_SOCKET, SO_MARK, ON_ALL},
	{SOL_SOCKET, SO_TIMESTAMP, ON_DATAGRAM},
	{SOL_SOCKET, SO_TIMESTAMPNS, ON_DATAGRAM},
	{SOL_SOCKET, SO_TIMESTAMPING, ON_DATAGRAM},
	{SOL_SOCKET, SO_RXQ_OVFL, ON_DATAGRAM},
	{SOL_SOCKET, SO_NO_CHECK, ON_DATAGRAM},
	{SOL_SOCKET, SO_ZEROCOPY, ON_ALL},
	{IPPROTO_IP, IP_TOS, ON_ALL},
	{SOL_SOCKET, SO_PRIORITY, ON_ALL}, /* behind IP_TOS, which sets it, too */
	{IPPROTO_IP, IP_TTL, ON_ALL},
	{IPPROTO_IP, IP_MTU_DISCOVER, ON_ALL},
	{IPPROTO_IP, IP_FREEBIND, ON_ALL},
	{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, ON_ALL},
	{IPPROTO_IP, IP_RECVERR, ON_DATAGRAM},
	{IPPROTO_IP, IP_PKTINFO, ON_DATAGRAM},
	{IPPROTO_IP, IP_RECVTOS, ON_DATAGRAM},
	{IPPROTO_IP, IP_RECVTTL, ON_DATAGRAM},
	{IPPROTO_IP, IP_MULTICAST_TTL, ON_DATAGRAM},
	{IPPROTO_IP, IP_MULTICAST_LOOP, ON_DATAGRAM},
	{IPPROTO_IPV6, IPV6_V6ONLY, ON_SIX},
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS, ON_SIX},
	{IPPROTO_IPV6, IPV6_MTU_DISCOVER, ON_SIX},
	{IPPROTO_IPV6, IPV6_TCLASS, ON_SIX},
	{IPPROTO_IPV6, IPV6_RECVERR, 1u << DATAGRAM_6},
	{IPPROTO_IPV6, IPV6_RECVPKTINFO, 1u << DATAGRAM_6},
	{IPPROTO_IPV6, IPV6_RECVTCLASS, 1u << DATAGRAM_6},
	{IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1u << DATAGRAM_6},
	{IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1u << DATAGRAM_6},
	{IPPROTO_TCP, TCP_NODELAY, ON_STREAM},
	{IPPROTO_TCP, TCP_CORK, ON_STREAM},
	{IPPROTO_TCP, TCP_MAXSEG, ON_STREAM},
	{IPPROTO_TCP, TCP_KEEPIDLE, ON_STREAM},
	{IPPROTO_TCP, TCP_KEEPINTVL, ON_STREAM},
	{IPPROTO_TCP, TCP_KEEPCNT, ON_STREAM},
	{IPPROTO_TCP, TCP_SYNCNT, ON_STREAM},
	{IPPROTO_TCP, TCP_LINGER2, ON_STREAM},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, ON_STREAM},
	{IPPROTO_TCP, TCP_CONGESTION, ON_STREAM},
	{IPPROTO_TCP, TCP_FASTOPEN_CONNECT, ON_STREAM},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT, ON_STREAM},
	{IPPROTO_UDP, UDP_CORK, ON_DATAGRAM},
	{IPPROTO_UDP, UDP_SEGMENT, ON_DATAGRAM},
	{IPPROTO_UDP, UDP_GRO, ON_DATAGRAM},
};

static_assert(array_length(options) <= UINT8_MAX, "a byte for each");

struct value {
	socklen_t size; /* 0: the socket has no such option */
	char bytes[VALUE_MAX];
};

/* Of SO_MEMINFO, which tells both in one call. */
struct buffers {
	uint32_t receive, send;
};

/* What a socket of one kind has, and what is read of it. */
struct usual {
	struct value values[array_length(options)];
	struct buffers buffers;
	/* Options that the kind has: first those of which nobody is told, then the others. */
	uint8_t order[array_length(options)];
	size_t untold, count;
};

struct socket_defaults {
	struct usual usual[KINDS];
	uint64_t told[array_length(options)]; /* its bit, told_options.h; 0: it has to be read */
	uint64_t told_buffers;                /* the bits of both */
};

static struct value read_value(int socket, const struct option *option)
{
	struct value value = {.size = VALUE_MAX};

	if (getsockopt(socket, option->level, option->name, value.bytes, &value.size) < 0) {
		value.size = 0;
	}
	return value;
}

static struct buffers read_buffers(int socket)
{
	uint32_t values[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof(values);

	(void)getsockopt(socket, SOL_SOCKET, SO_MEMINFO, values, &size);
	return (struct buffers){values[SK_MEMINFO_RCVBUF], values[SK_MEMINFO_SNDBUF]};
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
			defaults->usual[kind].values[i] = read_value(fd, &options[i]);
		}
	}
	defaults->usual[kind].buffers = read_buffers(fd);
	return 0;
}

static void add_to_order(struct usual *usual, const uint64_t *told, bool is_told)
{
	for (size_t i = 0; i < array_length(options); i++) {
		if (usual->values[i].size != 0 && (told[i] != 0) == is_told) {
			usual->order[usual->count++] = (uint8_t)i;
		}
	}
}

static void find_order(struct socket_defaults *defaults)
{
	for (size_t i = 0; i < array_length(options); i++) {
		defaults->told[i] = told_option_bit(options[i].level, options[i].name);
	}
	defaults->told_buffers =
		told_option_bit(SOL_SOCKET, SO_RCVBUF) | told_option_bit(SOL_SOCKET, SO_SNDBUF);
	for (enum kind kind = 0; kind < KINDS; kind++) {
		add_to_order(&defaults->usual[kind], defaults->told, false);
		defaults->usual[kind].untold = defaults->usual[kind].count;
		add_to_order(&defaults->usual[kind], defaults->told, true);
	}
}

int socket_defaults_new(struct socket_defaults **defaultsp)
{
	cleanup_free struct socket_defaults *defaults = calloc(1, sizeof(*defaults));
	int error = defaults ? 0 : -ENOMEM;

	for (enum kind kind = 0; kind < KINDS && error == 0; kind++) {
		error = look_at(defaults, kind);
	}
	if (error == 0) {
		find_order(defaults);
		*defaultsp = steal_pointer(&defaults);
	}
	return error;
}

/* The kernel takes half of what it tells. */
static void copy_buffer(int name, uint32_t usual, uint32_t value, int to)
{
	int half = (int)(value / 2);

	if (value != usual) {
		(void)setsockopt(to, SOL_SOCKET, name, &half, sizeof(half));
	}
}

static void copy_buffers(const struct buffers *usual, int from, int to)
{
	struct buffers buffers = read_buffers(from);

	copy_buffer(SO_RCVBUF, usual->receive, buffers.receive, to);
	copy_buffer(SO_SNDBUF, usual->send, buffers.send, to);
}

static void copy_value(const struct option *option, const struct value *usual, int from, int to)
{
	struct value value = read_value(from, option);

	if (value.size == usual->size && memcmp(value.bytes, usual->bytes, value.size) != 0) {
		(void)setsockopt(to, option->level, option->name, value.bytes, value.size);
	}
}

void socket_options_copy(const struct socket_defaults *defaults, uint64_t told, int domain,
	int type, int from, int to)
{
	enum kind kind = type == SOCK_STREAM  ? domain == AF_INET6 ? STREAM_6 : STREAM_4
			 : domain == AF_INET6 ? DATAGRAM_6
					      : DATAGRAM_4;

	const struct usual *usual = &defaults->usual[kind];
	size_t count = told ? usual->count : usual->untold;

	for (size_t i = 0; i < count; i++) {
		uint8_t option = usual->order[i];
		if (i < usual->untold || (defaults->told[option] & told)) {
			copy_value(&options[option], &usual->values[option], from, to);
		}
	}
	if (defaults->told_buffers & told) {
		copy_buffers(&usual->buffers, from, to);
	}
}
