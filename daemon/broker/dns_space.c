/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/dns_space.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/helper.h"
#include "daemon/broker/socket_facts.h"

#define LOOPBACK_INDEX 1 /* of the first device, which every namespace has */
#define BACKLOG        64

/* What is done in the namespace, by a helper. */
struct errand {
	int (*run)(struct errand *errand);
	int result;
	struct dns_space *space;
	struct dns_space_sockets *sockets;
	int family, type, protocol;
};

static void run_errand(void *argument)
{
	struct errand *errand = argument;

	errand->result = errand->run(errand);
}

static int do_errand(struct errand *errand)
{
	int error = helper_run(run_errand, errand);

	return error < 0 ? error : errand->result;
}

static int raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

/* `ip route add local default dev lo`: every address of the family is ours. */
static int own_all_addresses(uint8_t family)
{
	struct {
		struct nlmsghdr header;
		struct rtmsg route;
		struct rtattr device_attribute;
		int device;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_NEWROUTE,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE},
		.route = {.rtm_family = family,
			.rtm_table = RT_TABLE_LOCAL,
			.rtm_protocol = RTPROT_STATIC,
			.rtm_scope = RT_SCOPE_HOST,
			.rtm_type = RTN_LOCAL},
		.device_attribute = {RTA_LENGTH(sizeof(int)), RTA_OIF},
		.device = LOOPBACK_INDEX,
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char more[256];
	} reply;
	cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0 ||
		recv(fd, &reply, sizeof(reply), 0) < 0) {
		return -errno;
	}
	return reply.header.nlmsg_type == NLMSG_ERROR ? reply.error.error : -EPROTO;
}

/* Answers must come from the address that was asked: the kernel tells it of each question. */
static int bind_nameserver(int family, int type)
{
	static const int on = 1;
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(NS_DEFAULTPORT)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(NS_DEFAULTPORT)};
	bool is_ipv6 = family == AF_INET6;
	cleanup_fd int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int result = fd;

	if (result >= 0 && is_ipv6) {
		result = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	}
	if (result >= 0 && type == SOCK_DGRAM) {
		result = is_ipv6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on))
				 : setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	}
	if (result >= 0) {
		result = is_ipv6 ? bind(fd, (struct sockaddr *)&in6, sizeof(in6))
				 : bind(fd, (struct sockaddr *)&in, sizeof(in));
	}
	if (result >= 0 && type == SOCK_STREAM) {
		result = listen(fd, BACKLOG);
	}
	return result < 0 ? -errno : steal_fd(&fd);
}

static int open_namespace(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* A kernel without IPv6 asks nobody by it. */
static int open_sockets(struct errand *errand)
{
	struct dns_space_sockets *sockets = errand->sockets;

	if (own_all_addresses(AF_INET6) == 0) {
		sockets->datagram6 = bind_nameserver(AF_INET6, SOCK_DGRAM);
		sockets->stream6 = bind_nameserver(AF_INET6, SOCK_STREAM);
	}
	sockets->datagram = bind_nameserver(AF_INET, SOCK_DGRAM);
	sockets->stream = bind_nameserver(AF_INET, SOCK_STREAM);
	return sockets->datagram < 0 ? sockets->datagram
	       : sockets->stream < 0 ? sockets->stream
				     : 0;
}

/* Root can do without a user namespace, where none can be had. */
static int enter_new(struct errand *errand)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) {
		errand->space->user = open_namespace("/proc/self/ns/user");
		return errand->space->user < 0 ? errand->space->user : 0;
	}
	int error = -errno;
	return unshare(CLONE_NEWNET) == 0 ? 0 : error;
}

static int make_space(struct errand *errand)
{
	struct dns_space *space = errand->space;
	int error = enter_new(errand);

	if (error == 0) {
		space->network = open_namespace("/proc/self/ns/net");
		error = space->network < 0 ? space->network : raise_loopback();
	}
	if (error == 0) {
		error = own_all_addresses(AF_INET);
	}
	return error < 0 ? error : open_sockets(errand);
}

int dns_space_open(struct dns_space *space, struct dns_space_sockets *sockets)
{
	struct errand errand = {.run = make_space, .space = space, .sockets = sockets};

	*space = (struct dns_space){.user = -1, .network = -1};
	*sockets = (struct dns_space_sockets){-1, -1, -1, -1};
	int error = do_errand(&errand);
	return error < 0 ? error : socket_network(sockets->datagram, &space->cookie);
}

static int make_socket(struct errand *errand)
{
	const struct dns_space *space = errand->space;

	if ((space->user >= 0 && setns(space->user, CLONE_NEWUSER) < 0) ||
		setns(space->network, CLONE_NEWNET) < 0) {
		return -errno;
	}
	int fd = socket(errand->family, errand->type | SOCK_CLOEXEC, errand->protocol);
	return fd < 0 ? -errno : fd;
}

/* A name that is taken is given up: who asks does not care by which port. */
static void bind_like(int socket, int like)
{
	struct sockaddr_storage name = {0};
	socklen_t size = sizeof(name);

	if (getsockname(like, (struct sockaddr *)&name, &size) < 0 ||
		bind(socket, (struct sockaddr *)&name, size) == 0) {
		return;
	}
	((struct sockaddr_in *)&name)->sin_port = 0; /* also that of IPv6 */
	(void)bind(socket, (struct sockaddr *)&name, size);
}

int dns_space_socket_like(const struct dns_space *space, int like)
{
	struct errand errand = {.run = make_socket,
		.space = (struct dns_space *)space,
		.family = socket_domain(like),
		.type = socket_type(like),
		.protocol = socket_protocol(like)};

	if (errand.family < 0 || errand.type < 0 || errand.protocol < 0) {
		return -EBADF;
	}
	int fd = do_errand(&errand);
	if (fd >= 0) {
		bind_like(fd, like);
	}
	return fd;
}

bool dns_space_owns(const struct dns_space *space, int socket)
{
	uint64_t cookie = 0;

	return socket_network(socket, &cookie) == 0 && cookie == space->cookie;
}
