/* SPDX-License-Identifier: Apache-2.0 */
/* What the cases of messages have in common. */
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include "tests/common/address.h"
#include "tests/parity/parity.h"

long message_send(int fd, const struct msghdr *header, int flags);
struct msghdr message_header(struct iovec *parts, size_t count, struct address *address);

/* A bound datagram socket of IPv4, and its address. */
int message_receiver(struct scene *scene, struct address *address);
void message_pair(struct scene *scene, int type, int pair[2]);

/* What comes, and which control messages with it. */
void message_tell_received(struct scene *scene, int fd);

/* A thread's function: reads the stream of the socket `*fd` to its end. Its length in bytes. */
void *message_drain(void *fd);
