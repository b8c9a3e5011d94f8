/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/act.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "daemon/base/clock.h"
#include "daemon/broker/act_address.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/decode_address.h"
#include "daemon/broker/near.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/recover.h"
#include "daemon/broker/request.h"
#include "daemon/broker/socket_facts.h"
#include "daemon/broker/workers.h"

static int connect_errno(int socket, const struct exact_address *to)
{
	return connect(socket, to->name, to->length) < 0 ? -errno : 0;
}

static bool is_loopback(const struct policy_endpoint *endpoint)
{
	return endpoint->family == AF_INET ? endpoint->address[0] == IN_LOOPBACKNET
					   : memcmp(endpoint->address, &in6addr_loopback,
						     sizeof(in6addr_loopback)) == 0;
}

/* Only streams are waited for until the other side says something, and this machine says it at
 * once.
 */
static bool may_take_time(struct address_request *address)
{
	bool is_far = address->is_redirected ||
		      (address->endpoint.kind == ENDPOINT_TCP && !is_loopback(&address->endpoint));

	return is_far && address_may_wait(address);
}

/* A connection to elsewhere takes its time; to what is near it is there at once, or hardly ever
 * not.
 */
static bool is_expected_to_wait(struct address_request *address)
{
	return address->outcome == -EINPROGRESS ||
	       (may_take_time(address) && !near_is(&address->endpoint));
}

/* Connects, and notes how long that took where it tells something. */
static int connect_and_note(struct address_request *address, const struct exact_address *to)
{
	if (!may_take_time(address)) {
		return connect_errno(address->socket, to);
	}
	uint64_t began = clock_ns(CLOCK_MONOTONIC);
	int result = connect_errno(address->socket, to);
	near_note(&address->endpoint, clock_ns(CLOCK_MONOTONIC) - began);
	return result;
}

static bool is_closed(int socket)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	return getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
	       info.tcpi_state == TCP_CLOSE;
}

/*
 * Goes on with a connection that was begun. What another thread of the target has ended meanwhile
 * (shutdown, AF_UNSPEC) is not begun anew: the kernel tells it who waits for it, by that errno
 * alone.
 */
static int go_on(struct address_request *address, const struct exact_address *to)
{
	if (!is_closed(address->socket)) {
		return connect_and_note(address, to);
	}
	int error = socket_number(address->socket, SOL_SOCKET, SO_ERROR);
	if (error == ECONNRESET) {
		return -ECONNRESET;
	}
	int result = connect_errno(address->socket, to);
	return error > 0 ? -error : result;
}

bool act_has_send_timeout(int socket)
{
	struct timeval timeout = {0};
	socklen_t size = sizeof(timeout);

	return getsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, &size) == 0 &&
	       (timeout.tv_sec || timeout.tv_usec);
}

/* A broker died after it had begun to connect: what the repetition tells is how that went. */
static int what_was_meant(int result)
{
	return result == -EISCONN ? 0 : result == -EALREADY ? -EINPROGRESS : result;
}

/* 0, or a negative errno: how connecting went. */
static int connect_to(
	struct worker *worker, struct request *request, const struct exact_address *to)
{
	struct address_request *address = &request->address;
	int result = is_expected_to_wait(address) ? workers_expect_to_wait(worker) : 0;
	if (result < 0) {
		return result;
	}
	bool is_begun = address->outcome == -EINPROGRESS;
	result = is_begun ? go_on(address, to) : connect_and_note(address, to);
	while (result == -EINTR && workers_interruption(worker) == INTERRUPTED_NOT) {
		is_begun = true;
		result = address->endpoint.kind == ENDPOINT_TCP ? go_on(address, to)
								: connect_and_note(address, to);
	}
	/* What we had begun the target has not. */
	if (result == -EALREADY && is_begun) {
		return -EINPROGRESS;
	}
	return recover_is_repeated(request) ? what_was_meant(result) : result;
}

enum act_outcome act_connect(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	struct exact_address to;

	if (request->address.has_outcome) {
		request->result = request->address.outcome;
		return ACT_DONE;
	}
	request->result = exact_address_init(&to, request);
	if (request->result == 0) {
		if (!notify_is_pending(broker->listener, request->id)) {
			exact_address_finish(&to);
			return ACT_GONE;
		}
		recover_note(request);
		request->result = connect_to(worker, request, &to);
	}
	exact_address_finish(&to);
	if (request->result == -EINTR && !act_has_send_timeout(request->address.socket)) {
		return act_interrupted(worker);
	}
	return ACT_DONE;
}

static bool has_name(const struct address_request *address)
{
	struct sockaddr_storage name;
	socklen_t length = sizeof(name);

	return getsockname(address->socket, (struct sockaddr *)&name, &length) == 0 &&
	       length == address->length && memcmp(&name, &address->name, length) == 0;
}

/* With a port that nobody was asked about, since the one that was asked about was given back. */
static bool is_stray(const struct address_request *address)
{
	return address->operation == OPERATION_BIND && address->endpoint.port != 0 &&
	       !address->is_redirected && !has_name(address);
}

/* Only numbers, but the number of the socket may be another's by now: it is done on the very one.
 */
enum act_outcome act_listen(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	int backlog = (int)request->slot->notification.data.args[1];

	(void)worker;
	if (!notify_is_pending(broker->listener, request->id)) {
		return ACT_GONE;
	}
	request->result = listen(request->address.socket, backlog) < 0 ? -errno : 0;
	if (request->result == 0 && is_stray(&request->address)) {
		(void)shutdown(request->address.socket, SHUT_RDWR);
		request->result = -EADDRINUSE;
	}
	return ACT_DONE;
}

enum act_outcome act_socket(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	const struct socket_request *wanted = &request->socket;

	(void)broker;
	(void)worker;
	request->result = 0;
	if (request->verdict.action == POLICY_DENY) {
		request->result = -request->verdict.error;
		return ACT_DONE;
	}
	/* Only numbers; and what is to be another socket than the target's own is made here. A pair
	 * leads nowhere: there is nothing to put in its place. */
	if (request->verdict.action == POLICY_ALLOW ||
		request->slot->notification.data.nr == SYS_socketpair) {
		return ACT_CONTINUE;
	}
	int fd = socket(wanted->family, wanted->type | SOCK_CLOEXEC, wanted->protocol);
	request->result = fd < 0 ? -errno : fd;
	return ACT_DONE;
}
