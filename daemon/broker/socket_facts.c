/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/socket_facts.h"

#include <errno.h>
#include <sys/socket.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

int socket_number(int socket, int level, int option)
{
	int value = 0;
	socklen_t size = sizeof(value);

	return getsockopt(socket, level, option, &value, &size) < 0 ? -errno : value;
}

int socket_domain(int socket)
{
	return socket_number(socket, SOL_SOCKET, SO_DOMAIN);
}

int socket_type(int socket)
{
	return socket_number(socket, SOL_SOCKET, SO_TYPE);
}

int socket_protocol(int socket)
{
	return socket_number(socket, SOL_SOCKET, SO_PROTOCOL);
}

int socket_network(int socket, uint64_t *cookie)
{
	socklen_t size = sizeof(*cookie);

	return getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &size) < 0 ? -errno : 0;
}
