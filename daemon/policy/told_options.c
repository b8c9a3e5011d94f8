/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/told_options.h"

#include <assert.h>
#include <linux/in6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"

/* asm-generic/socket.h; to a program of 64 bits they are the same as those that are called so. */
#define RCVTIMEO_NEW 66
#define SNDTIMEO_NEW 67

static const struct socket_option options[] = {
	{SOL_SOCKET, SO_REUSEADDR},
	{SOL_SOCKET, SO_REUSEPORT},
	{SOL_SOCKET, SO_RCVTIMEO, RCVTIMEO_NEW},
	{SOL_SOCKET, SO_SNDTIMEO, SNDTIMEO_NEW},
	{SOL_SOCKET, SO_OOBINLINE},
	{SOL_SOCKET, SO_DONTROUTE},
	{SOL_SOCKET, SO_RCVLOWAT},
	{SOL_SOCKET, SO_PRIORITY},
	{SOL_SOCKET, SO_MARK},
	{SOL_SOCKET, SO_TIMESTAMP},
	{SOL_SOCKET, SO_TIMESTAMPNS},
	{SOL_SOCKET, SO_TIMESTAMPING},
	{SOL_SOCKET, SO_RXQ_OVFL},
	{SOL_SOCKET, SO_NO_CHECK},
	{SOL_SOCKET, SO_ZEROCOPY},
	{IPPROTO_IP, IP_TOS},
	{IPPROTO_IP, IP_TTL},
	{IPPROTO_IP, IP_MTU_DISCOVER},
	{IPPROTO_IP, IP_FREEBIND},
	{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT},
	{IPPROTO_IP, IP_PKTINFO},
	{IPPROTO_IP, IP_RECVTOS},
	{IPPROTO_IP, IP_RECVTTL},
	{IPPROTO_IP, IP_MULTICAST_TTL},
	{IPPROTO_IP, IP_MULTICAST_LOOP},
	{IPPROTO_IPV6, IPV6_TCLASS},
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS},
	{IPPROTO_IPV6, IPV6_MTU_DISCOVER},
	{IPPROTO_IPV6, IPV6_RECVPKTINFO},
	{IPPROTO_IPV6, IPV6_RECVTCLASS},
	{IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
	{IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
	{IPPROTO_TCP, TCP_MAXSEG},
	{IPPROTO_TCP, TCP_SYNCNT},
	{IPPROTO_TCP, TCP_LINGER2},
	{IPPROTO_TCP, TCP_USER_TIMEOUT},
	{IPPROTO_TCP, TCP_CONGESTION},
	{IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT},
	{IPPROTO_UDP, UDP_SEGMENT},
	{IPPROTO_UDP, UDP_GRO},
	{SOL_SOCKET, SO_RCVBUF, SO_RCVBUFFORCE},
	{SOL_SOCKET, SO_SNDBUF, SO_SNDBUFFORCE},
};
static_assert(array_length(options) < 64, "a bit for each");

static const struct socket_option usual[] = {
	{SOL_SOCKET, SO_KEEPALIVE},
	{SOL_SOCKET, SO_LINGER},
	{SOL_SOCKET, SO_BROADCAST},
	{SOL_SOCKET, SO_PASSCRED},
	{IPPROTO_IP, IP_RECVERR},
	{IPPROTO_IPV6, IPV6_V6ONLY},
	{IPPROTO_IPV6, IPV6_RECVERR},
	{IPPROTO_TCP, TCP_NODELAY},
	{IPPROTO_TCP, TCP_CORK},
	{IPPROTO_TCP, TCP_KEEPIDLE},
	{IPPROTO_TCP, TCP_KEEPINTVL},
	{IPPROTO_TCP, TCP_KEEPCNT},
	{IPPROTO_TCP, TCP_QUICKACK},
	{IPPROTO_TCP, TCP_ULP},
	{IPPROTO_UDP, UDP_CORK},
};

static const int levels[] = {SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP};

const struct socket_option *told_options(size_t *count)
{
	*count = array_length(options);
	return options;
}

const struct socket_option *usual_options(size_t *count)
{
	*count = array_length(usual);
	return usual;
}

const int *told_levels(size_t *count)
{
	*count = array_length(levels);
	return levels;
}

static bool is(const struct socket_option *option, int level, int name)
{
	return option->level == level && (option->name == name || (name && option->other == name));
}

static bool is_usual(int level, int name)
{
	for (size_t i = 0; i < array_length(usual); i++) {
		if (is(&usual[i], level, name)) {
			return true;
		}
	}
	return false;
}

static bool has_level(int level)
{
	for (size_t i = 0; i < array_length(levels); i++) {
		if (levels[i] == level) {
			return true;
		}
	}
	return false;
}

uint64_t told_option_bit(int level, int name)
{
	for (size_t i = 0; i < array_length(options); i++) {
		if (is(&options[i], level, name)) {
			return UINT64_C(1) << i;
		}
	}
	return has_level(level) && !is_usual(level, name) ? TOLD_OTHERS : 0;
}
