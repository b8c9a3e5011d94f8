/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network namespace of the broker's own, in which every address is this machine's: there the
 * broker answers for port 53, whatever server a program means to ask. A socket of the program that
 * asks is exchanged for one of the same kind in here, connected to the same address, so the program
 * sees the peer that it expects, and nobody else can send to it or listen. There is no way out: the
 * namespace has a loopback device and nothing more.
 *
 * It needs no privilege, since it lies in a user namespace of its own. A process with several
 * threads may not enter one, so whatever is done in there is done by a child that shares our memory
 * and our descriptors and is gone again before we go on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dns_space {
	int user, network; /* the namespaces; `user` is -1 where we are root and need none */
	uint64_t cookie;   /* of the network namespace, as SO_NETNS_COOKIE tells it (Linux 5.14) */
};

/* The broker's sockets in the namespace, bound to port 53; those of IPv6 are -1 without it. */
struct dns_space_sockets {
	int datagram, datagram6;
	int stream, stream6;
};

/* 0 or a negative errno: -EPERM, -ENOSPC where no namespace can be had. Both are filled. */
int dns_space_open(struct dns_space *space, struct dns_space_sockets *sockets);

/*
 * A new socket in there, of the same family, type and protocol as `like` and bound to the same
 * address and port as far as they are free; CLOEXEC. Or a negative errno. Any thread may call it
 * that has the broker's own rights.
 */
int dns_space_socket_like(const struct dns_space *space, int like);

/* Is the socket one of this namespace? */
bool dns_space_owns(const struct dns_space *space, int socket);
