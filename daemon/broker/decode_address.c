/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/decode_address.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/broker/broker.h"
#include "daemon/broker/decode_place.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

static int socket_option(int socket, int option)
{
	int value = 0;
	socklen_t size = sizeof(value);

	return getsockopt(socket, SOL_SOCKET, option, &value, &size) < 0 ? -errno : value;
}

static enum endpoint_kind transport_of(int socket)
{
	int protocol = socket_option(socket, SO_PROTOCOL);

	return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP     ? ENDPOINT_TCP
	       : protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ? ENDPOINT_UDP
									: ENDPOINT_OTHER;
}

/* The IPv4 address that the socket is bound to, or INADDR_ANY. */
static uint32_t bound_ipv4(int socket, bool *mapped)
{
	struct sockaddr_storage name = {0};
	socklen_t size = sizeof(name);
	const struct sockaddr_in *in = (const void *)&name;
	const struct sockaddr_in6 *in6 = (const void *)&name;
	uint32_t address = htonl(INADDR_ANY);

	*mapped = false;
	if (getsockname(socket, (struct sockaddr *)&name, &size) < 0) {
		return address;
	}
	if (name.ss_family == AF_INET) {
		address = in->sin_addr.s_addr;
	} else if (name.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		*mapped = true;
		memcpy(&address, &in6->sin6_addr.s6_addr[12], sizeof(address));
	}
	return address;
}

/*
 * The canonical address: an IPv4-mapped one is its IPv4 address, and the unspecified one is what
 * the kernel makes of it in connect(2): the address that the socket is bound to, or the loopback.
 * That is written into our copy, so what is decided on is where it goes.
 */
static void set_ipv4(struct connect_request *connect, void *bytes, in_port_t port)
{
	struct policy_endpoint *endpoint = &connect->endpoint;
	uint32_t address;
	bool mapped;

	memcpy(&address, bytes, sizeof(address));
	if (address == htonl(INADDR_ANY)) {
		address = bound_ipv4(connect->socket, &mapped);
	}
	if (address == htonl(INADDR_ANY)) {
		address = htonl(INADDR_LOOPBACK);
	}
	memcpy(bytes, &address, sizeof(address));
	endpoint->family = AF_INET;
	memcpy(endpoint->address, &address, sizeof(address));
	endpoint->port = ntohs(port);
}

static void set_ipv6(struct connect_request *connect, struct sockaddr_in6 *in6)
{
	static const struct in6_addr mapped_loopback = {
		.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = IN_LOOPBACKNET, [15] = 1}};
	struct policy_endpoint *endpoint = &connect->endpoint;
	bool mapped = false;

	if (IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr)) {
		(void)bound_ipv4(connect->socket, &mapped);
		in6->sin6_addr = mapped ? mapped_loopback : in6addr_loopback;
	}
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		set_ipv4(connect, &in6->sin6_addr.s6_addr[12], in6->sin6_port);
		return;
	}
	endpoint->family = AF_INET6;
	memcpy(endpoint->address, &in6->sin6_addr, sizeof(in6->sin6_addr));
	endpoint->port = ntohs(in6->sin6_port);
}

static void set_unix(struct connect_request *connect)
{
	size_t path_offset = offsetof(struct sockaddr_un, sun_path);
	char *path = connect->address.bytes + path_offset;

	if (connect->length <= path_offset) {
		return; /* no name at all: the kernel refuses it */
	}
	connect->address.bytes[connect->length] = '\0';
	bool abstract = path[0] == '\0';
	connect->endpoint.kind = abstract ? ENDPOINT_UNIX_ABSTRACT : ENDPOINT_UNIX_PATH;
	connect->endpoint.path = abstract ? path + 1 : path;
	connect->endpoint.path_length = abstract ? connect->length - path_offset - 1 : strlen(path);
}

/*
 * What the address means is judged by the socket: an AF_INET6 socket with an AF_INET address is
 * refused by the kernel, an AF_INET socket takes AF_UNSPEC and INADDR_ANY for AF_INET (only in
 * bind).
 */
static void set_endpoint(struct connect_request *connect)
{
	int domain = socket_option(connect->socket, SO_DOMAIN);
	struct policy_endpoint *endpoint = &connect->endpoint;

	endpoint->kind = ENDPOINT_OTHER;
	endpoint->family = domain;
	if (connect->length < sizeof(sa_family_t)) {
		return;
	}
	sa_family_t family = connect->address.any.sa_family;
	if (family == AF_UNSPEC) {
		endpoint->family = AF_UNSPEC; /* ends a connection: leads nowhere */
	} else if (family == AF_INET && (domain == AF_INET || domain == AF_INET6) &&
		   connect->length >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in *in = (void *)&connect->address;
		endpoint->kind = transport_of(connect->socket);
		set_ipv4(connect, &in->sin_addr, in->sin_port);
	} else if (family == AF_INET6 && domain == AF_INET6 &&
		   connect->length >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
		endpoint->kind = transport_of(connect->socket);
		set_ipv6(connect, (void *)&connect->address);
	} else if (family == AF_UNIX && domain == AF_UNIX) {
		set_unix(connect);
	}
}

/* Where a relative sun_path begins, and the root of an absolute one. */
static int pin_unix_path(const struct broker *broker, struct request *request)
{
	struct connect_request *connect = &request->connect;

	if (connect->endpoint.kind != ENDPOINT_UNIX_PATH) {
		return 0;
	}
	return decode_place(
		broker, request, &request->place, connect->endpoint.path[0] == '/', AT_FDCWD);
}

int decode_connect(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	struct connect_request *connect = &request->connect;
	int length = (int)data->args[2];

	request->call = CALL_CONNECT;
	memset(&connect->endpoint, 0, sizeof(connect->endpoint));
	connect->length = 0;
	connect->socket = target_take_fd(request->tid, (int)data->args[0]);
	if (connect->socket < 0) {
		return connect->socket;
	}
	int type = socket_option(connect->socket, SO_TYPE);
	if (type == -EBADF) {
		return type; /* an O_PATH descriptor */
	}
	if (length < 0 || (size_t)length > sizeof(connect->address.storage)) {
		return -EINVAL;
	}
	int error = length == 0 ? 0
				: target_read(request->tid, data->args[1], &connect->address,
					  (size_t)length);
	if (error == 0 && type < 0) {
		error = type; /* -ENOTSOCK: the kernel looks at the address first */
	}
	if (error < 0) {
		return error;
	}
	connect->length = (socklen_t)length;
	connect->may_wait = !(fcntl(connect->socket, F_GETFL) & O_NONBLOCK);
	set_endpoint(connect);
	if (connect->endpoint.kind == ENDPOINT_UNIX_PATH &&
		connect->length > sizeof(struct sockaddr_un)) {
		return -EINVAL;
	}
	return pin_unix_path(broker, request);
}
