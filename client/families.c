/* SPDX-License-Identifier: Apache-2.0 */
#include "client/families.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"

#define LOOPBACK_INDEX 1 /* in every network namespace */

static const struct shown {
	unsigned int bit;
	uint8_t family, size, prefix;
	const char *address;
} families[] = {
	{FAMILY_IPV4, AF_INET, 4, 8, "127.0.0.2"},
	{FAMILY_IPV6, AF_INET6, 16, 128, "fe80::1"},
};

/* RTM_NEWADDR, see rtnetlink(7). */
struct address_message {
	struct nlmsghdr header;
	struct ifaddrmsg about;
	struct rtattr attribute;
	uint8_t address[16];
};

unsigned int families_find(void)
{
	struct ifaddrs *all = NULL;
	unsigned int found = 0;

	if (getifaddrs(&all) < 0) {
		return 0;
	}
	for (const struct ifaddrs *each = all; each; each = each->ifa_next) {
		for (size_t i = 0; i < array_length(families); i++) {
			if (each->ifa_addr && each->ifa_addr->sa_family == families[i].family &&
				!(each->ifa_flags & IFF_LOOPBACK)) {
				found |= families[i].bit;
			}
		}
	}
	freeifaddrs(all);
	return found;
}

static void show(int netlink, const struct shown *shown)
{
	struct address_message message = {
		.header = {.nlmsg_type = RTM_NEWADDR, .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE},
		.about = {.ifa_family = shown->family,
			.ifa_prefixlen = shown->prefix,
			.ifa_flags = IFA_F_PERMANENT | IFA_F_NODAD,
			.ifa_scope = RT_SCOPE_HOST,
			.ifa_index = LOOPBACK_INDEX},
		.attribute = {.rta_type = IFA_LOCAL, .rta_len = RTA_LENGTH(shown->size)},
	};

	message.header.nlmsg_len = offsetof(struct address_message, address) + shown->size;
	if (inet_pton(shown->family, shown->address, message.address) == 1) {
		(void)send(netlink, &message, message.header.nlmsg_len, 0);
	}
}

void families_show(unsigned int wanted)
{
	cleanup_fd int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	for (size_t i = 0; i < array_length(families) && netlink >= 0; i++) {
		if (wanted & families[i].bit) {
			show(netlink, &families[i]);
		}
	}
}
