/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/socket_exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Who gets the signals of one that sends some (O_ASYNC), and which. */
static void copy_owner(int from, int to)
{
	struct f_owner_ex owner;
	int signal = fcntl(from, F_GETSIG);

	if (fcntl(from, F_GETOWN_EX, &owner) == 0 && owner.pid != 0) {
		(void)fcntl(to, F_SETOWN_EX, &owner);
	}
	if (signal > 0) {
		(void)fcntl(to, F_SETSIG, signal);
	}
}

int socket_flags_copy(int from, int to, int flags)
{
	if (flags & O_ASYNC) {
		copy_owner(from, to);
	}
	return fcntl(to, F_SETFL, flags & ~O_CLOEXEC) < 0 ? -errno : 0;
}

void socket_wake_readers(int socket)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} name = {.any.sa_family = AF_UNSPEC};
	socklen_t size = sizeof(name);

	/* Of both families the port stands in the same place. */
	if (getsockname(socket, &name.any, &size) < 0 || name.four.sin_port == 0) {
		return;
	}
	if (name.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&name.six.sin6_addr)) {
		name.six.sin6_addr = in6addr_loopback;
	} else if (name.any.sa_family == AF_INET && name.four.sin_addr.s_addr == INADDR_ANY) {
		name.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	(void)sendto(socket, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL, &name.any, size);
}
