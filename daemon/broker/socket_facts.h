/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel tells of a socket. */
#pragma once

#include <stdint.h>

/* An option that is a number, none of which is negative; or a negative errno. */
int socket_number(int socket, int level, int option);

/* Of SOL_SOCKET: SO_DOMAIN, SO_TYPE, SO_PROTOCOL. */
int socket_domain(int socket);
int socket_type(int socket);
int socket_protocol(int socket);

/* The cookie of its network namespace (SO_NETNS_COOKIE, Linux 5.14). 0 or a negative errno. */
int socket_network(int socket, uint64_t *cookie);
