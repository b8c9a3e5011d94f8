/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/act.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/outside.h"
#include "daemon/broker/recover.h"
#include "daemon/broker/request.h"
#include "daemon/broker/workers.h"

static bool is_loopback(const struct policy_endpoint *endpoint)
{
	return endpoint->family == AF_INET ? endpoint->address[0] == IN_LOOPBACKNET
					   : memcmp(endpoint->address, &in6addr_loopback,
						     sizeof(in6addr_loopback)) == 0;
}

/* Pins the socket's inode and fills in an address that leads to it and to nothing else. */
static int pin_unix_socket(
	const struct request *request, int *pinned, struct sockaddr_un *address, socklen_t *length)
{
	const struct place *place = &request->place;
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_NO_SYMLINKS};

	if (place->error) {
		return -place->error;
	}
	if (place->kind == PLACE_OBJECT) {
		*pinned = fcntl(place->object, F_DUPFD_CLOEXEC, 0);
	} else {
		*pinned =
			(int)syscall(SYS_openat2, place->directory, place->name, &how, sizeof(how));
	}
	if (*pinned < 0) {
		return -errno;
	}
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d", *pinned);
	*length = sizeof(*address);
	return 0;
}

static int connect_errno(int socket, const struct sockaddr *address, socklen_t length)
{
	return connect(socket, address, length) < 0 ? -errno : 0;
}

/* A connection to elsewhere takes its time; to this machine it is there at once, or hardly ever
 * not. */
static bool is_expected_to_wait(const struct connect_request *connect)
{
	return connect->may_wait && connect->endpoint.kind == ENDPOINT_TCP &&
	       !is_loopback(&connect->endpoint);
}

/* With SO_SNDTIMEO the call is not restarted, whatever the handler's flags (sock_intr_errno()). */
static bool has_timeout(int socket)
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

enum act_outcome act_connect(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	struct connect_request *connect = &request->connect;
	struct sockaddr_un unix_address;
	const struct sockaddr *address = &connect->address.any;
	socklen_t length = connect->length;
	cleanup_fd int pinned = -1;

	request->result = 0;
	if (request->verdict.action == POLICY_DENY) {
		request->result = -request->verdict.error;
		return ACT_DONE;
	}
	if (connect->endpoint.kind == ENDPOINT_UNIX_PATH) {
		request->result = pin_unix_socket(request, &pinned, &unix_address, &length);
		address = (const struct sockaddr *)&unix_address;
	}
	if (request->result < 0) {
		return ACT_DONE;
	}
	if (!notify_is_pending(broker->listener, request->id)) {
		return ACT_GONE;
	}
	request->result = outside_lead(broker, request, &connect->endpoint,
		(int)request->slot->notification.data.args[0], &connect->socket);
	if (request->result < 0) {
		return ACT_DONE;
	}
	recover_note(request);
	if (is_expected_to_wait(connect)) {
		request->result = workers_expect_to_wait(worker);
		if (request->result < 0) {
			return ACT_DONE;
		}
	}
	do {
		request->result = connect_errno(connect->socket, address, length);
	} while (request->result == -EINTR && workers_interruption(worker) == INTERRUPTED_NOT);
	if (recover_is_repeated(request)) {
		request->result = what_was_meant(request->result);
	}
	if (request->result == -EINTR && !has_timeout(connect->socket)) {
		return act_interrupted(worker);
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
