/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/decode_address.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/broker/bound.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/decode_place.h"
#include "daemon/broker/request.h"
#include "daemon/broker/socket_facts.h"
#include "daemon/broker/target.h"
#include "daemon/broker/target_fd.h"

#ifndef AF_SMC
#define AF_SMC 43
#endif
#define SMC_OF_INTERNET 256 /* IPPROTO_SMC, Linux 6.11: a protocol of AF_INET and AF_INET6 */

/* SMC and MPTCP are reached as TCP is, and fall back to it. */
static enum endpoint_kind transport_of(struct address_request *request)
{
	request->protocol = socket_protocol(request->socket);
	if (request->domain == AF_SMC) {
		return ENDPOINT_TCP;
	}
	switch (request->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_MPTCP:
	case SMC_OF_INTERNET:
		return ENDPOINT_TCP;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return ENDPOINT_UDP;
	default:
		return ENDPOINT_OTHER;
	}
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
 * The canonical address: an IPv4-mapped one is its IPv4 address, and to who connects or sends the
 * unspecified one is what the kernel makes of it: the address that the socket is bound to, or the
 * loopback. That is written into our copy. To who binds it is itself, all addresses.
 */
static void set_ipv4(struct address_request *request, void *bytes, in_port_t port)
{
	struct policy_endpoint *endpoint = &request->endpoint;
	bool leads = request->operation == OPERATION_CONNECT;
	uint32_t address;
	bool mapped;

	memcpy(&address, bytes, sizeof(address));
	if (leads && address == htonl(INADDR_ANY)) {
		address = bound_ipv4(request->socket, &mapped);
	}
	if (leads && address == htonl(INADDR_ANY)) {
		address = htonl(INADDR_LOOPBACK);
	}
	memcpy(bytes, &address, sizeof(address));
	endpoint->family = AF_INET;
	memcpy(endpoint->address, &address, sizeof(address));
	endpoint->port = ntohs(port);
}

static void set_ipv6(struct address_request *request, struct sockaddr_in6 *in6)
{
	static const struct in6_addr mapped_loopback = {
		.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = IN_LOOPBACKNET, [15] = 1}};
	struct policy_endpoint *endpoint = &request->endpoint;
	bool mapped = false;

	if (request->operation == OPERATION_CONNECT && IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr)) {
		(void)bound_ipv4(request->socket, &mapped);
		in6->sin6_addr = mapped ? mapped_loopback : in6addr_loopback;
	}
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		set_ipv4(request, &in6->sin6_addr.s6_addr[12], in6->sin6_port);
		return;
	}
	endpoint->family = AF_INET6;
	memcpy(endpoint->address, &in6->sin6_addr, sizeof(in6->sin6_addr));
	endpoint->port = ntohs(in6->sin6_port);
}

/*
 * An AF_INET socket takes AF_UNSPEC for AF_INET in bind (with INADDR_ANY) and in a datagram's
 * address, and so do raw AF_INET6 sockets in the latter. An AF_INET6 socket takes AF_INET for what
 * it is.
 */
static void set_internet(struct address_request *request, int domain)
{
	sa_family_t family = request->name.any.sa_family;

	if (family == AF_UNSPEC) {
		family = (sa_family_t)(domain == AF_INET6 ? AF_INET6 : AF_INET);
	}
	if (family == AF_INET && request->length >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in *in = (void *)&request->name;
		request->endpoint.kind = transport_of(request);
		set_ipv4(request, &in->sin_addr, in->sin_port);
	} else if (family == AF_INET6 && domain != AF_INET &&
		   request->length >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
		request->endpoint.kind = transport_of(request);
		set_ipv6(request, (void *)&request->name);
	}
}

/* Without a name bind(2) has the kernel choose an abstract one: asked about as the empty name. */
static void set_unix(struct address_request *request)
{
	size_t path_offset = offsetof(struct sockaddr_un, sun_path);
	struct policy_endpoint *endpoint = &request->endpoint;
	char *path = request->name.bytes + path_offset;

	bool is_empty = request->length <= path_offset;
	if (request->name.any.sa_family != AF_UNIX ||
		(is_empty && request->operation != OPERATION_BIND)) {
		return; /* the kernel refuses it */
	}
	request->name.bytes[request->length] = '\0';
	bool abstract = is_empty || path[0] == '\0';
	endpoint->kind = abstract ? ENDPOINT_UNIX_ABSTRACT : ENDPOINT_UNIX_PATH;
	endpoint->path = abstract && !is_empty ? path + 1 : path;
	endpoint->path_length = is_empty   ? 0
				: abstract ? request->length - path_offset - 1
					   : strlen(path);
}

/* Messages to the kernel itself: which of its doors they go to is the socket's protocol. */
static bool is_to_kernel(const struct address_request *request)
{
	const struct sockaddr_nl *netlink = (const void *)&request->name;

	return request->length < sizeof(*netlink) ||
	       (netlink->nl_pid == 0 && netlink->nl_groups == 0);
}

/* Names that are nobody's address: for them [sockets] decides, which lets such a socket be made. */
static bool leads_nowhere(const struct address_request *request, enum name_use use)
{
	bool ends_connection = use == NAME_CONNECTS && request->name.any.sa_family == AF_UNSPEC;

	switch (request->domain) {
	case AF_INET:
	case AF_INET6:
		return ends_connection;
	case AF_UNIX: /* a stream is sent to its peer: the name is refused, or not looked at */
		return ends_connection ||
		       (use == NAME_SENDS && address_type(request) != SOCK_DGRAM);
	case AF_NETLINK:
		return use == NAME_BINDS || ends_connection || is_to_kernel(request);
	case AF_ALG:
		return true; /* names a cipher */
	default:
		return false;
	}
}

/*
 * In a datagram an AF_INET6 socket takes no notice of a name without a family, and it is not bound
 * to one. By the time of the call it may be an AF_INET socket (IPV6_ADDRFORM), to which that would
 * be an address: so the kernel does not get to see it. True if it was such a name.
 */
static bool take_away_name(struct address_request *request, enum name_use use)
{
	if (request->domain != AF_INET6 || request->name.any.sa_family != AF_UNSPEC) {
		return false;
	}
	if (use == NAME_SENDS && transport_of(request) == ENDPOINT_UDP) {
		request->is_named = false;
		request->length = 0;
		return true;
	}
	if (use == NAME_BINDS) {
		request->name.any.sa_family = AF_MAX; /* refused as AF_UNSPEC is */
	}
	return use == NAME_BINDS;
}

/* What the bytes mean is judged by the socket that they are for. */
static void judge(struct address_request *request, enum name_use use)
{
	int domain = request->domain;

	request->operation = use == NAME_BINDS ? OPERATION_BIND : OPERATION_CONNECT;
	request->endpoint = (struct policy_endpoint){.kind = ENDPOINT_OTHER, .family = domain};
	if (request->length < sizeof(sa_family_t)) {
		return;
	}
	if (leads_nowhere(request, use) || take_away_name(request, use)) {
		request->operation = 0;
		return;
	}
	switch (domain) {
	case AF_INET:
	case AF_INET6:
	case AF_SMC:
		set_internet(request, domain);
		break;
	case AF_UNIX:
		set_unix(request);
		break;
	default:
		break;
	}
}

int decode_socket_number(struct request *request, int number)
{
	struct address_request *address = &request->address;

	address->operation = 0;
	address->flags = -1;
	address->host[0] = '\0';
	address->endpoint = (struct policy_endpoint){.kind = ENDPOINT_OTHER};
	address->is_named = false;
	address->length = 0;
	address->socket = target_take_fd(request->tid, number);
	if (address->socket < 0) {
		return address->socket;
	}
	address->domain = socket_domain(address->socket);
	return address->domain < 0 ? address->domain : 0; /* -EBADF: an O_PATH descriptor */
}

int address_type(const struct address_request *address)
{
	return socket_type(address->socket);
}

bool address_may_wait(struct address_request *address)
{
	if (address->flags < 0) {
		address->flags = fcntl(address->socket, F_GETFL);
	}
	return !(address->flags & O_NONBLOCK);
}

static int read_name(struct request *request, uint64_t address, int length)
{
	struct address_request *named = &request->address;

	if (length < 0 || (size_t)length > sizeof(named->name.storage)) {
		return -EINVAL;
	}
	named->is_named = true;
	named->length = (socklen_t)length;
	return length == 0 ? 0 : target_read(request->tid, address, &named->name, (size_t)length);
}

/* Where a relative sun_path begins, and the root of an absolute one. */
static int pin_unix_path(const struct broker *broker, struct request *request)
{
	const struct address_request *address = &request->address;

	if (address->endpoint.kind != ENDPOINT_UNIX_PATH) {
		return 0;
	}
	if (address->length > sizeof(struct sockaddr_un)) {
		return -EINVAL;
	}
	return decode_place(
		broker, request, &request->place, address->endpoint.path[0] == '/', AT_FDCWD);
}

int decode_name(const struct broker *broker, struct request *request, uint64_t address, int length,
	enum name_use use)
{
	int error = read_name(request, address, length);

	if (error < 0) {
		return error;
	}
	judge(&request->address, use);
	return pin_unix_path(broker, request);
}

int decode_connect(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	request->call = CALL_CONNECT;
	int error = decode_socket_number(request, (int)data->args[0]);
	if (error == -ENOTSOCK) {
		/* The kernel looks at the address first. */
		int before = read_name(request, data->args[1], (int)data->args[2]);
		return before < 0 ? before : error;
	}
	return error < 0 ? error
			 : decode_name(broker, request, data->args[1], (int)data->args[2],
				   NAME_CONNECTS);
}

int decode_bind(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	request->call = CALL_BIND;
	int error = decode_socket_number(request, (int)data->args[0]);
	return error < 0 ? error
			 : decode_name(
				   broker, request, data->args[1], (int)data->args[2], NAME_BINDS);
}

static bool is_internet(int domain)
{
	return domain == AF_INET || domain == AF_INET6 || domain == AF_SMC;
}

/* TCP_CLOSE also of what has none. */
static int tcp_state(int socket)
{
	struct tcp_info info = {.tcpi_state = TCP_CLOSE};
	socklen_t size = sizeof(info);

	(void)getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size);
	return info.tcpi_state;
}

/* What listen(2) may do with a port that is there: see bound.h. 0 or a negative errno. */
static int judge_bound(struct address_request *address)
{
	int state = tcp_state(address->socket);

	if (state != TCP_CLOSE && state != TCP_LISTEN) {
		return -EINVAL;
	}
	if (state == TCP_LISTEN || address_type(address) != SOCK_STREAM ||
		bound_has(address->socket)) {
		address->operation = 0;
	}
	return 0;
}

/* A socket of the internet that has no port yet gets one from listen(2): that is a bind. */
int decode_listen(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	struct address_request *address = &request->address;

	(void)broker;
	request->call = CALL_LISTEN;
	int error = decode_socket_number(request, (int)data->args[0]);
	if (error < 0 || address->domain == AF_UNIX) {
		return error; /* -EINVAL where that has no name */
	}
	address->length = sizeof(address->name.storage);
	if (getsockname(address->socket, &address->name.any, &address->length) < 0) {
		return -errno;
	}
	judge(address, NAME_BINDS);
	return is_internet(address->name.any.sa_family) && address->endpoint.port != 0
		       ? judge_bound(address)
		       : 0;
}
