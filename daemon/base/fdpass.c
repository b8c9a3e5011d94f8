/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base/fdpass.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/discard.h"

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
};

/* All that can come in one packet (SCM_MAX_FD of the kernel): what there is no room for the kernel
 * closes while we receive, and that may take its time (discard.h). */
#define COMING_MAX 253u

union coming {
	struct cmsghdr header;
	char room[CMSG_SPACE(COMING_MAX * sizeof(int))];
};

int fdpass_send(int socket, const void *data, size_t size, const int *fds, size_t fd_count)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control = {0};
	ssize_t sent;

	if (fd_count > FDPASS_MAX) {
		return -E2BIG;
	}
	if (fd_count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
	}
	do {
		sent = sendmsg(socket, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		return -errno;
	}
	return (size_t)sent == size ? 0 : -EMSGSIZE;
}

void fdpass_close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		discard_fd(&fds[i]);
	}
}

/* Takes over what the kernel has put into our table; more than `fds` holds is closed at once. */
static bool take_descriptors(struct msghdr *message, int *fds, size_t *fd_count)
{
	bool fitted = true;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			fitted = false;
			continue;
		}
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (*fd_count < FDPASS_MAX) {
				fds[(*fd_count)++] = fd;
			} else {
				discard_fd(&fd);
				fitted = false;
			}
		}
	}
	return fitted;
}

static ssize_t receive(
	int socket, void *data, size_t capacity, int *fds, size_t *fd_count, int flags)
{
	struct iovec iov = {.iov_base = data, .iov_len = capacity};
	union coming control;
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t size;

	*fd_count = 0;
	for (size_t i = 0; i < FDPASS_MAX; i++) {
		fds[i] = -1;
	}
	do {
		size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
	} while (size < 0 && errno == EINTR);
	if (size < 0) {
		return -errno;
	}
	if (!take_descriptors(&message, fds, fd_count) ||
		(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		fdpass_close_all(fds, *fd_count);
		*fd_count = 0;
		return -EBADMSG;
	}
	return size;
}

ssize_t fdpass_receive(int socket, void *data, size_t capacity, int *fds, size_t *fd_count)
{
	return receive(socket, data, capacity, fds, fd_count, 0);
}

ssize_t fdpass_receive_now(int socket, void *data, size_t capacity, int *fds, size_t *fd_count)
{
	return receive(socket, data, capacity, fds, fd_count, MSG_DONTWAIT);
}

ssize_t fdpass_peek(int socket, void *data, size_t capacity, int *fds, size_t *fd_count)
{
	return receive(socket, data, capacity, fds, fd_count, MSG_PEEK | MSG_DONTWAIT);
}
