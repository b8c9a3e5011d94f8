/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/clock.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/decode_address.h"
#include "daemon/broker/dns.h"
#include "daemon/broker/epoll_carry.h"
#include "daemon/broker/near.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/recover.h"
#include "daemon/broker/request.h"
#include "daemon/broker/socket_exchange.h"
#include "daemon/broker/socket_facts.h"
#include "daemon/broker/socket_options.h"
#include "daemon/broker/target_fd.h"
#include "daemon/broker/workers.h"
#include "daemon/policy/told_options.h"

struct outside {
	uint64_t network; /* the cookie of ours */
	struct socket_defaults *defaults;
};

int outside_new(struct outside **outsidep)
{
	cleanup_free struct outside *outside = calloc(1, sizeof(*outside));
	cleanup_fd int any = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!outside || any < 0) {
		return any < 0 ? -errno : -ENOMEM;
	}
	int error = socket_network(any, &outside->network);
	if (error == 0) {
		error = socket_defaults_new(&outside->defaults);
	}
	if (error == 0) {
		*outsidep = steal_pointer(&outside);
	}
	return error;
}

/* The devices inside are others than ours, and from none of them there is a way out. */
static bool is_bound_to_device(int socket)
{
	return socket_number(socket, SOL_SOCKET, SO_BINDTOIFINDEX) > 0;
}

/* A socket of ours of the same kind, with the same options; `flags` may be SOCK_NONBLOCK. */
static int make_like(const struct broker *broker, const struct address_request *inside, int flags)
{
	int type = inside->endpoint.kind == ENDPOINT_TCP ? SOCK_STREAM : SOCK_DGRAM;
	uint64_t told = atomic_load(&broker->memory->told);

	if ((told & TOLD_OTHERS) && is_bound_to_device(inside->socket)) {
		return -ENETUNREACH;
	}
	cleanup_fd int made = socket(inside->domain, type | SOCK_CLOEXEC | flags, inside->protocol);

	if (made < 0) {
		return -errno;
	}
	socket_options_copy(
		broker->outside->defaults, told, inside->domain, type, inside->socket, made);
	return steal_fd(&made);
}

/* A descriptor on its way into the caller. */
struct installation {
	const struct broker *broker;
	const struct request *request;
	int made, number;
	bool cloexec;
};

static int install(void *user)
{
	const struct installation *installation = user;

	return notify_install_fd(installation->broker->listener, installation->request->id,
		installation->made, installation->cloexec, installation->number);
}

/* Under our own rights, which are over the target. 0 or a negative errno. */
static int find_epolls(const struct broker *broker, const struct request *request, int number,
	struct epoll_carry *carry)
{
	if (!broker_knows(broker, SESSION_EPOLLS)) {
		return 0;
	}
	identity_pause(&broker->identity, request->identity);
	epoll_carry_find(carry, broker->epolls, request->tid, number);
	int error = identity_resume(&broker->identity, request->identity);
	if (error < 0) {
		epoll_carry_finish(carry);
	}
	return error;
}

/*
 * Only in a network that is the program's own: elsewhere the address to which it has bound a socket
 * may be one that leads to others (a group's, or any with IP_FREEBIND), and nobody was asked about
 * it.
 */
static void wake_readers(const struct broker *broker, const struct request *request, int socket)
{
	uint64_t cookie;

	if (request->address.endpoint.kind == ENDPOINT_UDP && broker->outside &&
		socket_network(socket, &cookie) == 0 && cookie != broker->outside->network) {
		socket_wake_readers(socket);
	}
}

/* outside_replace() with one that has got its flags already, but for O_CLOEXEC. */
static int put_in_place(const struct broker *broker, const struct request *request, int number,
	int *socket, int made, int flags)
{
	cleanup_fd int owned = made;
	struct epoll_carry carry = {.count = 0};

	int error = find_epolls(broker, request, number, &carry);
	if (error < 0) {
		return error;
	}
	struct installation installation = {broker, request, made, number, flags & O_CLOEXEC};
	error = epoll_carry_move(&carry, *socket, made, number, install, &installation);
	if (error >= 0) {
		wake_readers(broker, request, *socket);
		close(*socket);
		*socket = steal_fd(&owned);
	}
	epoll_carry_finish(&carry);
	return error < 0 ? error : 0;
}

int outside_flags(const struct broker *broker, const struct request *request, int number)
{
	identity_pause(&broker->identity, request->identity);
	int flags = target_fd_flags(request->tid, number);
	int error = identity_resume(&broker->identity, request->identity);

	return error < 0 ? error : flags;
}

int outside_replace(const struct broker *broker, const struct request *request, int number,
	int *socket, int made)
{
	cleanup_fd int owned = made;
	int flags = outside_flags(broker, request, number);

	if (made < 0 || flags < 0) {
		return made < 0 ? made : flags;
	}
	int error = socket_flags_copy(*socket, made, flags);
	return error < 0 ? error
			 : put_in_place(broker, request, number, socket, steal_fd(&owned), flags);
}

static bool is_internet(const struct policy_endpoint *endpoint)
{
	return endpoint->kind == ENDPOINT_TCP || endpoint->kind == ENDPOINT_UDP;
}

/* Under our own rights: the namespace is nobody else's to enter. */
static int make_resolver(const struct broker *broker, const struct request *request, int like)
{
	bool is_other = request->identity != &broker->identity;

	if (is_other && identity_assume(&broker->identity, request->identity) < 0) {
		abort();
	}
	int made = dns_socket(broker->dns, like, request->tid);
	if (is_other && identity_assume(request->identity, &broker->identity) < 0) {
		abort();
	}
	return made;
}

static bool is_connected_stream(int socket)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);

	return socket_type(socket) == SOCK_STREAM &&
	       getpeername(socket, (struct sockaddr *)&peer, &size) == 0;
}

/* A stream that is connected stays what it is: the kernel says so. */
static int enter_resolver(
	const struct broker *broker, const struct request *request, int number, int *socket)
{
	const struct address_request *address = &request->address;

	if (dns_owns(broker->dns, *socket) || is_connected_stream(*socket)) {
		return 0;
	}
	int made = make_resolver(broker, request, *socket);
	if (made >= 0) {
		socket_options_copy(broker->outside->defaults, ~UINT64_C(0), address->domain,
			address_type(address), *socket, made);
	}
	return outside_replace(broker, request, number, socket, made);
}

/* A connection that its caller waits for: it may be there before its socket is in its place. */
static bool may_try_at_once(struct request *request)
{
	struct address_request *address = &request->address;

	return request->call == CALL_CONNECT && address->endpoint.kind == ENDPOINT_TCP &&
	       request->verdict.action == POLICY_ALLOW && address_may_wait(address);
}

/*
 * A connection that is there at once needs no other thread to lead meanwhile. If `made` waits it is
 * waited for as long as we lead; if not, the kernel says so when it is asked a second time. One
 * that is not there goes on where it is when the call proper is made, on a socket that waits if the
 * target's does.
 */
static void try_at_once(const struct broker *broker, struct worker *worker, struct request *request,
	int made, bool waits)
{
	struct address_request *address = &request->address;

	if (!notify_is_pending(broker->listener, request->id)) {
		return;
	}
	recover_note(request);
	uint64_t began = clock_ns(CLOCK_MONOTONIC);
	workers_only_while_leading(worker, true);
	for (int tries = waits ? 1 : 2; tries > 0 && !address->has_outcome; tries--) {
		address->outcome =
			connect(made, &address->name.any, address->length) < 0 ? -errno : 0;
		if (address->outcome == -EALREADY || address->outcome == -EINTR) {
			address->outcome = -EINPROGRESS;
		}
		address->has_outcome = address->outcome != -EINPROGRESS;
	}
	workers_only_while_leading(worker, false);
	if (waits || address->has_outcome) {
		near_note(&address->endpoint, clock_ns(CLOCK_MONOTONIC) - began);
	}
}

static int lead_out(
	const struct broker *broker, struct worker *worker, struct request *request, int number)
{
	struct address_request *address = &request->address;

	address->flags = outside_flags(broker, request, number);
	if (address->flags < 0) {
		return address->flags;
	}
	bool tries = may_try_at_once(request);
	bool waits = tries && near_is(&address->endpoint);
	cleanup_fd int made = make_like(broker, address, waits ? 0 : SOCK_NONBLOCK);
	if (made < 0) {
		return made;
	}
	if (tries) {
		try_at_once(broker, worker, request, made, waits);
	}
	int has = O_RDWR | (waits ? 0 : O_NONBLOCK);
	int error = (address->flags & ~O_CLOEXEC) == has
			    ? 0
			    : socket_flags_copy(address->socket, made, address->flags);
	return error < 0 ? error
			 : put_in_place(broker, request, number, &address->socket, steal_fd(&made),
				   address->flags);
}

int outside_lead(const struct broker *broker, struct worker *worker, struct request *request)
{
	const struct outside *outside = broker->outside;
	int number = (int)request->slot->notification.data.args[0];
	int *socket = &request->address.socket;
	uint64_t cookie = 0;

	if (policy_asks_broker(&request->verdict)) {
		return broker->dns ? enter_resolver(broker, request, number, socket)
				   : -ECONNREFUSED;
	}
	if (!outside || !request->address.operation || !is_internet(&request->address.endpoint)) {
		return 0;
	}
	int error = socket_network(*socket, &cookie);
	bool is_outside = cookie == outside->network;
	bool is_resolver = broker->dns && dns_owns(broker->dns, *socket);
	enum wire_network network = policy_network(broker->policy);
	if (error < 0 || (network != WIRE_NETWORK_BROKER && !is_resolver)) {
		return error;
	}
	if (request->verdict.outside || network == WIRE_NETWORK_HOST) {
		return is_outside ? 0 : lead_out(broker, worker, request, number);
	}
	return is_outside || is_resolver ? -ENETUNREACH : 0;
}
