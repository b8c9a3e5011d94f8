/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

#define BACKLOG 128

static int make_directory_of(const char *path)
{
	cleanup_free char *copy = strdup(path);

	if (!copy) {
		return -ENOMEM;
	}
	if (mkdir(dirname(copy), geteuid() == 0 ? 0755 : 0700) < 0 && errno != EEXIST) {
		return -errno;
	}
	return 0;
}

int listen_lock(const char *path)
{
	cleanup_free char *lock_path = NULL;

	if (asprintf(&lock_path, "%s.lock", path) < 0) {
		lock_path = NULL;
		return -ENOMEM;
	}
	int result = make_directory_of(path);
	if (result < 0) {
		return result;
	}
	cleanup_fd int fd =
		open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (fd < 0) {
		return -errno;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
	}
	return steal_fd(&fd);
}

/* The name of a socket while it is being made. */
#define NEW_SUFFIX ".new"

static int bind_to(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path)) {
		return -ENAMETOOLONG;
	}
	strcpy(address.sun_path, path);
	if (unlink(path) < 0 && errno != ENOENT) {
		return -errno;
	}
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int listen_unix(const char *path, int type, mode_t mode, gid_t group)
{
	cleanup_fd int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cleanup_free char *new_path = NULL;

	if (fd < 0) {
		return -errno;
	}
	if (asprintf(&new_path, "%s" NEW_SUFFIX, path) < 0) {
		new_path = NULL;
		return -ENOMEM;
	}
	int result = bind_to(fd, new_path);
	if (result < 0) {
		return result;
	}
	if ((group != (gid_t)-1 && chown(new_path, (uid_t)-1, group) < 0) ||
		chmod(new_path, mode) < 0 || listen(fd, BACKLOG) < 0 ||
		rename(new_path, path) < 0) {
		result = -errno;
		unlink(new_path);
		return result;
	}
	return steal_fd(&fd);
}

static int socket_option(int fd, int option)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0 ? -1 : value;
}

int listen_check(int fd, int type)
{
	return socket_option(fd, SO_DOMAIN) == AF_UNIX && socket_option(fd, SO_TYPE) == type &&
			       socket_option(fd, SO_ACCEPTCONN) == 1
		       ? 0
		       : -EINVAL;
}
