/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base/discard.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/fdpass.h"

#define STACK_BYTES (64u << 10)
#define LOOKS       2000u /* a tenth of a second */
#define LOOK_US     50u
#define PACKET_MAX  (64u << 10) /* a longer one is none of ours */
/* Packets in a socket: each takes 768 bytes of what its sender may have (net.core.wmem_max). */
#define WAITING_MAX 512u

static bool is_calmed(int fd)
{
	const struct linger none = {0};

	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)) == 0;
}

/*
 * A file that has a server somewhere looks like any other, and who asks is made to wait, too, or
 * refused.
 */
static bool may_wait(int fd)
{
	struct linger linger = {0};
	socklen_t size = sizeof(linger);
	struct statx st;

	if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0) {
		return linger.l_onoff && linger.l_linger > 0;
	}
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0 ||
	       S_ISREG(st.stx_mode) || S_ISDIR(st.stx_mode);
}

static _Atomic unsigned int to_begin; /* threads that have not come to their close(2) */

static void *close_slowly(void *fd)
{
	atomic_fetch_sub(&to_begin, 1);
	close((int)(intptr_t)fd);
	return NULL;
}

/*
 * A thread for each: of what waits in our table to be closed each child has a copy, and its exec
 * waits. False if there can be no thread.
 */
static bool close_aside(int fd)
{
	pthread_attr_t attributes;
	pthread_t thread;

	if (pthread_attr_init(&attributes) != 0) {
		return false;
	}
	atomic_fetch_add(&to_begin, 1);
	bool is_begun =
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
		pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0 &&
		pthread_create(&thread, &attributes, close_slowly, (void *)(intptr_t)fd) == 0;
	pthread_attr_destroy(&attributes);
	if (!is_begun) {
		atomic_fetch_sub(&to_begin, 1);
	}
	return is_begun;
}

void discard_settle(void)
{
	for (unsigned int i = 0; i < LOOKS && atomic_load(&to_begin) > 0; i++) {
		(void)usleep(LOOK_US);
	}
}

void discard_shared(int *fd)
{
	int owned = *fd;

	*fd = -1;
	if (owned >= 0 && (!may_wait(owned) || !close_aside(owned))) {
		close(owned);
	}
}

void discard_fd(int *fd)
{
	if (*fd >= 0 && is_calmed(*fd)) {
		close_fd(fd);
	}
	discard_shared(fd);
}

/* An empty packet looks like the end of the connection, so it is not told by that. */
static void discard_each(int socket, void (*discard)(int *fd))
{
	char packet[PACKET_MAX];
	int fds[FDPASS_MAX];
	size_t fd_count;
	ssize_t size = 0;

	for (unsigned int i = 0; i < WAITING_MAX && (size >= 0 || size == -EBADMSG); i++) {
		size = fdpass_receive_now(socket, packet, sizeof(packet), fds, &fd_count);
		for (size_t k = 0; k < fd_count; k++) {
			discard(&fds[k]);
		}
	}
}

void discard_unread(int socket)
{
	(void)shutdown(socket, SHUT_RD);
	discard_each(socket, discard_fd);
}

void discard_packets(int socket)
{
	discard_each(socket, discard_shared);
}

void discard_calm(int socket, void *data, size_t size)
{
	int fds[FDPASS_MAX];
	size_t fd_count;

	if (fdpass_peek(socket, data, size, fds, &fd_count) > 0) {
		fdpass_close_all(fds, fd_count);
	}
}
