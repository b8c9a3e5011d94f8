/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/epoll_carry.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/request.h"
#include "daemon/broker/socket_options.h"
#include "daemon/broker/target.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

struct outside {
	uint64_t network; /* the cookie of ours */
	struct socket_defaults *defaults;
};

static int cookie_of(int socket, uint64_t *cookie)
{
	socklen_t size = sizeof(*cookie);

	return getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &size) < 0 ? -errno : 0;
}

int outside_new(struct outside **outsidep)
{
	cleanup_free struct outside *outside = calloc(1, sizeof(*outside));
	cleanup_fd int any = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!outside || any < 0) {
		return any < 0 ? -errno : -ENOMEM;
	}
	int error = cookie_of(any, &outside->network);
	if (error == 0) {
		error = socket_defaults_new(&outside->defaults);
	}
	if (error == 0) {
		*outsidep = steal_pointer(&outside);
	}
	return error;
}

static int number_option(int socket, int option, int *value)
{
	socklen_t size = sizeof(*value);

	return getsockopt(socket, SOL_SOCKET, option, value, &size) < 0 ? -errno : 0;
}

/* A socket of ours of the same kind, with the same options. */
static int make_like(const struct outside *outside, int inside)
{
	int domain = 0, type = 0, protocol = 0;

	if (number_option(inside, SO_DOMAIN, &domain) < 0 ||
		number_option(inside, SO_TYPE, &type) < 0 ||
		number_option(inside, SO_PROTOCOL, &protocol) < 0) {
		return -EBADF;
	}
	int made = socket(domain, type | SOCK_CLOEXEC, protocol);
	if (made < 0) {
		return -errno;
	}
	socket_options_copy(outside->defaults, domain, type, inside, made);
	return made;
}

int outside_replace(const struct broker *broker, const struct request *request, int number,
	int *socket, int made)
{
	cleanup_fd int owned = made;
	int flags = target_fd_flags(request->tid, number);
	struct epoll_carry carry = {.count = 0};

	if (made < 0 || flags < 0) {
		return made < 0 ? made : flags;
	}
	if (fcntl(made, F_SETFL, flags & ~O_CLOEXEC) < 0) {
		return -errno;
	}
	if (broker_knows(broker, SESSION_EPOLLS)) {
		epoll_carry_find(&carry, request->tid, number);
	}
	int error =
		notify_install_fd(broker->listener, request->id, made, flags & O_CLOEXEC, number);
	if (error >= 0) {
		epoll_carry_move(&carry, *socket, made, number);
		close(*socket);
		*socket = steal_fd(&owned);
	}
	epoll_carry_finish(&carry);
	return error < 0 ? error : 0;
}

static bool is_internet(const struct policy_endpoint *endpoint)
{
	return endpoint->kind == ENDPOINT_TCP || endpoint->kind == ENDPOINT_UDP;
}

int outside_lead(const struct broker *broker, struct request *request)
{
	const struct outside *outside = broker->outside;
	int number = (int)request->slot->notification.data.args[0];
	int *socket = &request->address.socket;
	uint64_t cookie = 0;

	if (!outside || !request->address.operation || !is_internet(&request->address.endpoint)) {
		return 0;
	}
	int error = cookie_of(*socket, &cookie);
	bool is_outside = cookie == outside->network;
	if (error < 0 || is_outside == request->verdict.outside) {
		return error;
	}
	return is_outside ? -ENETUNREACH
			  : outside_replace(
				    broker, request, number, socket, make_like(outside, *socket));
}
