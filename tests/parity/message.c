/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/parity/message.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

long message_send(int fd, const struct msghdr *header, int flags)
{
	return raw(SYS_sendmsg, fd, header, flags);
}

int message_receiver(struct scene *scene, struct address *address)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*address = address_ip4("127.0.0.1", 0);
	prepare(scene,
		fd >= 0 && !bind(fd, (struct sockaddr *)&address->storage, address->length) &&
			!getsockname(fd, (struct sockaddr *)&address->storage, &address->length));
	return fd;
}

void message_pair(struct scene *scene, int type, int pair[2])
{
	prepare(scene, !socketpair(AF_UNIX, type, 0, pair));
}

struct msghdr message_header(struct iovec *parts, size_t count, struct address *address)
{
	return (struct msghdr){
		.msg_name = address ? &address->storage : NULL,
		.msg_namelen = address ? address->length : 0,
		.msg_iov = parts,
		.msg_iovlen = count,
	};
}

void message_tell_received(struct scene *scene, int fd)
{
	char data[64] = "";
	union {
		struct cmsghdr header;
		char room[4096];
	} control;
	struct iovec part = {data, sizeof(data) - 1};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	poll(&poller, 1, 200);
	tell(scene, " received ");
	tell_result(scene, raw(SYS_recvmsg, fd, &header, MSG_DONTWAIT));
	tell(scene, " '%s' flags=%x", data, (unsigned int)header.msg_flags);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		tell(scene, " [%d/%d %zu]", c->cmsg_level, c->cmsg_type,
			(size_t)c->cmsg_len - CMSG_LEN(0));
		for (size_t i = 0; c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
				   i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			i++) {
			int number;
			memcpy(&number, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			tell(scene, " fl=%o", (unsigned int)fcntl(number, F_GETFL));
			close(number);
		}
	}
}

void *message_drain(void *fd)
{
	static char room[65536];
	long total = 0, got;

	while ((got = raw(SYS_recvfrom, *(int *)fd, room, sizeof(room), 0, 0, 0)) > 0) {
		total += got;
	}
	return (void *)total;
}
