/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/redirect.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/outside.h"
#include "daemon/broker/request.h"
#include "daemon/broker/socket_facts.h"

static int number_of_socket(const struct request *request)
{
	return (int)request->slot->notification.data.args[0];
}

static bool is_unix(const struct policy_endpoint *endpoint)
{
	return endpoint->kind == ENDPOINT_UNIX_PATH || endpoint->kind == ENDPOINT_UNIX_ABSTRACT;
}

/* An IPv6 socket reaches IPv4 addresses, unless it was told not to. */
static bool is_mapped(int domain, int socket, const struct policy_endpoint *endpoint)
{
	return domain == AF_INET6 && endpoint->family == AF_INET &&
	       socket_number(socket, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
}

/* Abstract names are of a network: those that a policy gives are of the broker's. */
static bool fits(const struct broker *broker, int socket, const struct policy_endpoint *endpoint)
{
	int domain = socket_domain(socket);

	if (endpoint->kind == ENDPOINT_UNIX_ABSTRACT) {
		return domain == AF_UNIX && policy_network(broker->policy) == WIRE_NETWORK_HOST;
	}
	return domain == endpoint->family || is_mapped(domain, socket, endpoint);
}

/* A stream cannot be led to where datagrams go. */
static int check_type(int type, const struct policy_endpoint *endpoint)
{
	int wanted = endpoint->kind == ENDPOINT_TCP ? SOCK_STREAM : SOCK_DGRAM;

	return is_unix(endpoint) || type == wanted ? 0 : -EPROTOTYPE;
}

static socklen_t write_unix(struct sockaddr_un *name, const struct policy_endpoint *endpoint)
{
	bool is_abstract = endpoint->kind == ENDPOINT_UNIX_ABSTRACT;
	size_t length = endpoint->path_length;

	name->sun_family = AF_UNIX;
	memcpy(name->sun_path + is_abstract, endpoint->path, length);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}

static socklen_t write_ipv6(struct sockaddr_in6 *name, const struct policy_endpoint *endpoint)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool is_mapped_address = endpoint->family == AF_INET;

	name->sin6_family = AF_INET6;
	name->sin6_port = htons(endpoint->port);
	memcpy(&name->sin6_addr, is_mapped_address ? mapped : endpoint->address, 12);
	memcpy((char *)&name->sin6_addr + 12, endpoint->address + (is_mapped_address ? 0 : 12), 4);
	return sizeof(*name);
}

static int write_name(struct address_request *address, const struct policy_endpoint *endpoint)
{
	int domain = socket_domain(address->socket);
	struct sockaddr_in *in = (void *)&address->name;

	if (endpoint->path_length >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		return -ENAMETOOLONG;
	}
	memset(&address->name, 0, sizeof(address->name));
	address->is_redirected = true;
	if (domain == AF_UNIX) {
		address->length = write_unix((void *)&address->name, endpoint);
	} else if (domain == AF_INET6) {
		address->length = write_ipv6((void *)&address->name, endpoint);
	} else {
		*in = (struct sockaddr_in){
			.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
		memcpy(&in->sin_addr, endpoint->address, sizeof(in->sin_addr));
		address->length = sizeof(*in);
	}
	return 0;
}

/* The request goes on with a new socket, which nobody has seen yet. */
static int make_other(const struct broker *broker, struct request *request, int type,
	const struct policy_endpoint *endpoint)
{
	struct address_request *address = &request->address;
	int family = is_unix(endpoint) ? AF_UNIX : endpoint->family;
	int flags = outside_flags(broker, request, number_of_socket(request));
	cleanup_fd int made = flags < 0 ? -1 : socket(family, type | SOCK_CLOEXEC, 0);

	if (flags < 0 || made < 0) {
		return flags < 0 ? flags : -errno;
	}
	if (fcntl(made, F_SETFL, flags & ~O_CLOEXEC) < 0) {
		return -errno;
	}
	address->replaced = steal_fd(&address->socket);
	address->socket = steal_fd(&made);
	return 0;
}

/* A copy of ours, for the program. */
static int find_given(const struct broker *broker, const char *name)
{
	for (size_t i = 0; i < broker->given_count; i++) {
		const char *known = policy_descriptor_name(broker->policy, i);
		if (known && strcmp(known, name) == 0) {
			int copy = fcntl(broker->given[i], F_DUPFD_CLOEXEC, 0);
			return copy < 0 ? -errno : copy;
		}
	}
	return -EACCES;
}

/*
 * It is bound already, and may listen: the program's listen(2) on it succeeds all the same, be it
 * this call or a later one.
 */
static int give_descriptor(const struct broker *broker, struct request *request, const char *name)
{
	struct address_request *address = &request->address;
	cleanup_fd int given = find_given(broker, name);

	if (given < 0) {
		return given;
	}
	if (socket_type(given) != socket_type(address->socket)) {
		return -EPROTOTYPE;
	}
	int error = outside_replace(
		broker, request, number_of_socket(request), &address->socket, steal_fd(&given));
	if (error < 0) {
		return error;
	}
	return request->call == CALL_LISTEN ? REDIRECT_ACT : REDIRECT_DONE;
}

/* To listen without a name is to be bound first, which is then ours to do. */
static int bind_before(const struct broker *broker, const struct request *request)
{
	const struct address_request *address = &request->address;

	if (request->call != CALL_LISTEN) {
		return REDIRECT_ACT;
	}
	if (!notify_is_pending(broker->listener, request->id)) {
		return -ENOENT;
	}
	return bind(address->socket, &address->name.any, address->length) < 0 ? -errno
									      : REDIRECT_ACT;
}

int redirect_begin(const struct broker *broker, struct worker *worker, struct request *request)
{
	struct address_request *address = &request->address;
	struct policy_endpoint endpoint;
	int type = socket_type(address->socket);

	if (!policy_inject_endpoint(&request->verdict, &endpoint)) {
		return -EACCES;
	}
	const char *descriptor = policy_inject_descriptor(&request->verdict);
	if (descriptor) {
		return give_descriptor(broker, request, descriptor);
	}
	int error = check_type(type, &endpoint);
	if (error == 0 && fits(broker, address->socket, &endpoint)) {
		error = outside_lead(broker, worker, request);
	} else if (error == 0) {
		error = make_other(broker, request, type, &endpoint);
	}
	if (error == 0) {
		error = write_name(address, &endpoint);
	}
	return error < 0 ? error : bind_before(broker, request);
}

void redirect_end(const struct broker *broker, struct request *request)
{
	struct address_request *address = &request->address;

	if (address->replaced < 0 || (request->result < 0 && request->result != -EINPROGRESS)) {
		return;
	}
	int made = steal_fd(&address->socket);
	int error = outside_replace(
		broker, request, number_of_socket(request), &address->replaced, made);
	if (error < 0) {
		request->result = error;
		return;
	}
	/* If we die before the answer, this is what is left to say. */
	request->slot->result = request->result;
	atomic_store(&request->slot->state, SLOT_INSTALLED);
}
