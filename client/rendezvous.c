/* SPDX-License-Identifier: Apache-2.0 */
#include "client/rendezvous.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/install.h"

#define AGAIN_MS  10
#define TRIES_MAX 1500 /* of AGAIN_MS each */

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path)) {
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		return -errno;
	}
	return steal_fd(&fd);
}

int rendezvous_with_daemon(struct rendezvous *rendezvous)
{
	int error = -ENOENT;

	*rendezvous = (struct rendezvous){.socket = -1};
	for (unsigned int i = 0;; i++) {
		cleanup_free char *path = install_socket_path(i);
		if (!path) {
			return error;
		}
		int fd = connect_to(path);
		if (fd >= 0) {
			rendezvous->socket = fd;
			rendezvous->path = steal_pointer(&path);
			return 0;
		}
		/* One that is there and does not answer tells more than one that is not there. */
		error = fd == -ENOENT && error != -ENOENT ? error : fd;
	}
}

int rendezvous_again(struct rendezvous *rendezvous)
{
	static unsigned int tries;
	int fd = -ECONNRESET;

	close_fd(&rendezvous->socket);
	if (!rendezvous->path) {
		return fd;
	}
	while (fd < 0 && tries++ < TRIES_MAX) {
		nanosleep(&(struct timespec){.tv_nsec = AGAIN_MS * 1000000L}, NULL);
		fd = connect_to(rendezvous->path);
	}
	rendezvous->socket = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

void rendezvous_finish(struct rendezvous *rendezvous)
{
	close_fd(&rendezvous->socket);
	free(rendezvous->path);
}
