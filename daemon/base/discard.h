/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets go of what somebody else's process has passed over a unix socket, without waiting for
 * anybody. close(2) may wait for as long as that one likes:
 *
 *   a socket  with SO_LINGER, for its peer to take what was sent
 *   a file    of a network or FUSE file system, for its server to answer
 *
 * and so may whatever ends the last copy: reading without room for descriptors, or closing the
 * socket in which they still lie.
 */
#pragma once

#include <stddef.h>

/* As close_fd(), of what nobody wanted: a socket is told not to linger, all else that may wait is
 * closed by a thread of its own. */
void discard_fd(int *fd);

/* The same of what others may go on with: what may wait is closed aside, and nothing is told. */
void discard_shared(int *fd);

/* Before a child is started: what is closed aside is out of our table, or the child has a copy of
 * it and its exec waits. */
void discard_settle(void);

/* The connection takes nothing more, and what lies in it is discarded. */
void discard_unread(int socket);

/* What lies in the packets of `socket`, which others may hold as well, is let go of as shared. Not
 * of packets: nothing happens. */
void discard_packets(int socket);

/* What comes with the next `size` bytes of a stream, which somebody will read who takes no
 * descriptors, does not linger. They are looked at in `data`. */
void discard_calm(int socket, void *data, size_t size);
