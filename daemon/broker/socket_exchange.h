/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What else there is to do when a socket of a program is exchanged for another (outside.h), beside
 * its options (socket_options.h) and the epoll instances that watch it (epoll_carry.h).
 */
#pragma once

/*
 * Gives `to` the `flags` of `from`, as target_fd_flags() tells them, and where it sends signals
 * (O_ASYNC), also whom and which. 0 or a negative errno.
 */
int socket_flags_copy(int from, int to, int flags);

/*
 * Another thread may wait for datagrams on the one of udp that was exchanged, and nobody would send
 * it any: one without content, from the socket to itself, has it look again at what lies under the
 * number. It goes to the address to which the program has bound it, whatever that leads to.
 */
void socket_wake_readers(int socket);
