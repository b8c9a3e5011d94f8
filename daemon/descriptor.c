/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/descriptor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

/* No path reads so: those of files begin with a slash. */
#define LISTENER_LINK "anon_inode:seccomp notify"

bool descriptor_is_listener(int fd)
{
	char path[32], link[sizeof(LISTENER_LINK) + 1];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(path, link, sizeof(link));
	return length == (ssize_t)strlen(LISTENER_LINK) &&
	       memcmp(link, LISTENER_LINK, (size_t)length) == 0;
}

bool descriptor_is_socket(int fd)
{
	int domain;
	socklen_t size = sizeof(domain);

	/* Not by fstat(2): of a file a server somewhere may have to be asked. */
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0;
}

bool descriptor_is_writable(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && !(flags & O_PATH);
}
