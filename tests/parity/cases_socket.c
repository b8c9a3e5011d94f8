/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket and socketpair by every family, type and protocol, also wrong ones.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/parity.h"

struct socket_case {
	int family, type, protocol;
};

static const int families[] = {AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG,
	AF_VSOCK, AF_BLUETOOTH, AF_CAN, AF_TIPC, 45, 46, 255, -1, 0x10002};
static const int types[] = {0, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, 10, 15,
	SOCK_STREAM | SOCK_CLOEXEC, SOCK_STREAM | SOCK_NONBLOCK,
	SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, SOCK_STREAM | 0x10, SOCK_STREAM | 0x40000000};
static const int protocols[] = {0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 255, 256, -1};

static void tell_socket(struct scene *scene, int fd)
{
	static const int options[] = {SO_DOMAIN, SO_TYPE, SO_PROTOCOL, SO_ACCEPTCONN};

	tell_fd(scene, fd);
	if (fd < 0) {
		return;
	}
	for (size_t i = 0; i < array_length(options); i++) {
		int value = -1;
		socklen_t length = sizeof(value);

		if (getsockopt(fd, SOL_SOCKET, options[i], &value, &length)) {
			tell(scene, " %s", observe_errno(errno));
		} else {
			tell(scene, " %d", value);
		}
	}
}

static void run_socket(struct scene *scene)
{
	const struct socket_case *test = scene->data;

	for (size_t i = 0; i < array_length(protocols); i++) {
		int fd = (int)raw(SYS_socket, test->family, test->type, protocols[i]);

		tell(scene, " protocol %d ", protocols[i]);
		tell_socket(scene, fd);
		if (fd >= 0) {
			close(fd);
		}
	}
}

static void run_pair(struct scene *scene)
{
	const struct socket_case *test = scene->data;
	int pair[2] = {-1, -1};
	long result = raw(SYS_socketpair, test->family, test->type, 0, pair);

	tell_result(scene, result);
	if (!result) {
		tell_socket(scene, pair[0]);
		tell_socket(scene, pair[1]);
	}
}

void cases_socket(struct runner *runner)
{
	for (size_t f = 0; f < array_length(families); f++) {
		for (size_t t = 0; t < array_length(types); t++) {
			struct socket_case test = {families[f], types[t], 0};

			runner_case(runner, run_socket, &test, "socket/%d/%#x", families[f],
				(unsigned int)types[t]);
			if (families[f] <= AF_INET6) {
				runner_case(runner, run_pair, &test, "socketpair/%d/%#x",
					families[f], (unsigned int)types[t]);
			}
		}
	}
}
