/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/told_options.h"

#include <linux/in6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"

static const struct socket_option options[] = {
	{SOL_SOCKET, SO_REUSEPORT},
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
	{IPPROTO_IP, IP_FREEBIND},
	{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT},
	{IPPROTO_IP, IP_MULTICAST_TTL},
	{IPPROTO_IP, IP_MULTICAST_LOOP},
	{IPPROTO_IPV6, IPV6_TCLASS},
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS},
	{IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
	{IPPROTO_TCP, TCP_MAXSEG},
	{IPPROTO_TCP, TCP_SYNCNT},
	{IPPROTO_TCP, TCP_LINGER2},
	{IPPROTO_TCP, TCP_USER_TIMEOUT},
	{IPPROTO_TCP, TCP_CONGESTION},
	{IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT},
};

const struct socket_option *told_options(size_t *count)
{
	*count = array_length(options);
	return options;
}

bool option_is_told(int level, int name)
{
	for (size_t i = 0; i < array_length(options); i++) {
		if (options[i].level == level && options[i].name == name) {
			return true;
		}
	}
	return false;
}
