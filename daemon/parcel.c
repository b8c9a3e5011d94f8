/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/parcel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/discard.h"
#include "daemon/base/fdpass.h"

int parcel_make(const char *text, const int *fds, size_t fd_count)
{
	int pair[2] = {-1, -1};
	size_t length = strlen(text);

	if (length == 0 || length >= PARCEL_TEXT_MAX) {
		return -E2BIG;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		return -errno;
	}
	cleanup_fd int inside = pair[0];
	cleanup_fd int outside = pair[1];
	int result = fdpass_send(inside, text, length, fds, fd_count);
	return result < 0 ? result : steal_fd(&outside);
}

int parcel_open(int parcel, char *text, int *fds, size_t *fd_count)
{
	ssize_t length = fdpass_peek(parcel, text, PARCEL_TEXT_MAX - 1, fds, fd_count);

	if (length <= 0) {
		return -EBADMSG;
	}
	text[length] = '\0';
	return 0;
}

#define WRAPPER "1" /* a packet has to say something */

int parcel_wrap(int *fd)
{
	if (*fd < 0) {
		return 0;
	}
	int parcel = parcel_make(WRAPPER, fd, 1);
	if (parcel < 0) {
		return parcel;
	}
	discard_shared(fd);
	*fd = parcel;
	return 0;
}

int parcel_unwrap(int parcel, int *fd)
{
	char text[sizeof(WRAPPER)];
	int fds[FDPASS_MAX];
	size_t fd_count;

	*fd = -1;
	if (parcel < 0) {
		return 0;
	}
	ssize_t size = fdpass_peek(parcel, text, sizeof(text), fds, &fd_count);
	if (size < 0 || fd_count != 1) {
		fdpass_close_all(fds, fd_count);
		return size < 0 ? (int)size : -EBADMSG;
	}
	*fd = steal_fd(&fds[0]);
	return 0;
}

void parcel_discard(int *parcel)
{
	if (*parcel >= 0) {
		discard_packets(*parcel);
		close_fd(parcel);
	}
}
