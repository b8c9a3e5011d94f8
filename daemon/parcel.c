/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/parcel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
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
