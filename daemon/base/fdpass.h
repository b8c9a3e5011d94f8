/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets with descriptors over SOCK_SEQPACKET unix sockets: exact, or refused. The only user of
 * SCM_RIGHTS between our own processes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct wire_header;

/* How many descriptors one packet may bring. */
#define FDPASS_MAX 16u

/*
 * Sends one packet with `fd_count` descriptors, which stay the caller's. 0 or a negative errno
 * (never EINTR; EAGAIN if the socket does not block and is full).
 */
int fdpass_send(int socket, const void *data, size_t size, const int *fds, size_t fd_count);

/*
 * Receives one packet into `data` (`capacity` bytes). Returns its size, 0 at the end of the
 * connection, or a negative errno: -EBADMSG if data or descriptors did not fit. Received
 * descriptors are CLOEXEC and the caller's: fds[0 .. *fd_count-1]; the rest of `fds`, which has
 * room for FDPASS_MAX, is -1. On an error none is left open.
 */
ssize_t fdpass_receive(int socket, void *data, size_t capacity, int *fds, size_t *fd_count);

/* The same, and never waits (-EAGAIN). */
ssize_t fdpass_receive_now(int socket, void *data, size_t capacity, int *fds, size_t *fd_count);

/*
 * The same of the packet that is next, which stays where it is: its descriptors are copies. Never
 * waits (-EAGAIN).
 */
ssize_t fdpass_peek(int socket, void *data, size_t capacity, int *fds, size_t *fd_count);

/* Without waiting for anybody: discard.h. */
void fdpass_close_all(int *fds, size_t count);
