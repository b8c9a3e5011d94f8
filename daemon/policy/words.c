/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables, and the edit distance (insertion, deletion, change, exchange of neighbours; letters'
 * case counts nothing, so that `eacces` finds EACCES). A word is near if less than about a third of
 * it would have to change.
 */
#include "daemon/policy/words.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/policy.h"

#define TABLE(name) const struct words name = {name##_items, array_length(name##_items)}

static const struct word section_words_items[] = {
	{"files", POLICY_FILES},
	{"network", POLICY_NETWORK},
	{"sockets", POLICY_SOCKETS},
	{"syscalls", POLICY_SYSCALLS},
	{"policy", SECTION_POLICY},
};
static_assert(array_length(section_words_items) == POLICY_SECTIONS + 1, "every section has a name");
TABLE(section_words);

static const struct word policy_key_words_items[] = {
	{"description", KEY_DESCRIPTION},
	{"include", KEY_INCLUDE},
	{"net", KEY_NET},
	{"follow", KEY_FOLLOW},
	{"mechanism", KEY_MECHANISM},
};
TABLE(policy_key_words);

static const struct word action_words_items[] = {
	{"allow", POLICY_ALLOW},
	{"deny", POLICY_DENY},
	{"inject", POLICY_INJECT},
	{"kill", POLICY_KILL},
};
static_assert(array_length(action_words_items) == POLICY_KILL + 1, "every action has a name");
TABLE(action_words);

static const struct word modifier_words_items[] = {
	{"audit", MODIFIER_AUDIT},
	{"quiet", MODIFIER_QUIET},
};
TABLE(modifier_words);

static const struct word file_operation_words_items[] = {
	{"read", OPERATION_READ},
	{"write", OPERATION_WRITE},
	{"create", OPERATION_CREATE},
	{"remove", OPERATION_REMOVE},
	{"metadata", OPERATION_METADATA},
	{"execute", OPERATION_EXECUTE},
	{"stat", OPERATION_STAT},
	{"all", OPERATIONS_FILES},
};
static_assert((OPERATION_STAT << 1) == OPERATION_CONNECT, "the table has every operation on files");
TABLE(file_operation_words);

static const struct word network_operation_words_items[] = {
	{"connect", OPERATION_CONNECT},
	{"bind", OPERATION_BIND},
	{"all", OPERATIONS_NETWORK},
};
TABLE(network_operation_words);

static const struct word network_words_items[] = {
	{"host", WIRE_NETWORK_HOST},
	{"broker", WIRE_NETWORK_BROKER},
	{"none", WIRE_NETWORK_NONE},
};
static_assert(array_length(network_words_items) == WIRE_NETWORKS - 1, "every network has a name");
TABLE(network_words);

static const struct word endpoint_words_items[] = {
	{"tcp", WORD_TCP},
	{"udp", WORD_UDP},
	{"unix", WORD_UNIX},
	{"any", WORD_ANY},
};
TABLE(endpoint_words);

/* Address families without a macro in older headers stand as their numbers. */
static const struct word socket_family_words_items[] = {
	{"unspec", AF_UNSPEC},
	{"unix", AF_UNIX},
	{"local", AF_LOCAL},
	{"file", AF_FILE},
	{"inet", AF_INET},
	{"ax25", AF_AX25},
	{"ipx", AF_IPX},
	{"appletalk", AF_APPLETALK},
	{"netrom", AF_NETROM},
	{"bridge", AF_BRIDGE},
	{"atmpvc", AF_ATMPVC},
	{"x25", AF_X25},
	{"inet6", AF_INET6},
	{"rose", AF_ROSE},
	{"decnet", AF_DECnet},
	{"netbeui", AF_NETBEUI},
	{"security", AF_SECURITY},
	{"key", AF_KEY},
	{"netlink", AF_NETLINK},
	{"route", AF_ROUTE},
	{"packet", AF_PACKET},
	{"ash", AF_ASH},
	{"econet", AF_ECONET},
	{"atmsvc", AF_ATMSVC},
	{"rds", AF_RDS},
	{"sna", AF_SNA},
	{"irda", AF_IRDA},
	{"pppox", AF_PPPOX},
	{"wanpipe", AF_WANPIPE},
	{"llc", AF_LLC},
	{"ib", AF_IB},
	{"mpls", AF_MPLS},
	{"can", AF_CAN},
	{"tipc", AF_TIPC},
	{"bluetooth", AF_BLUETOOTH},
	{"iucv", AF_IUCV},
	{"rxrpc", AF_RXRPC},
	{"isdn", AF_ISDN},
	{"phonet", AF_PHONET},
	{"ieee802154", AF_IEEE802154},
	{"caif", AF_CAIF},
	{"alg", AF_ALG},
	{"nfc", AF_NFC},
	{"vsock", AF_VSOCK},
	{"kcm", AF_KCM},
	{"qipcrtr", AF_QIPCRTR},
	{"smc", AF_SMC},
	{"xdp", AF_XDP},
	{"mctp", 45},
};
TABLE(socket_family_words);

static const struct word socket_type_words_items[] = {
	{"stream", SOCK_STREAM},
	{"dgram", SOCK_DGRAM},
	{"raw", SOCK_RAW},
	{"rdm", SOCK_RDM},
	{"seqpacket", SOCK_SEQPACKET},
	{"dccp", SOCK_DCCP},
	{"packet", SOCK_PACKET},
};
TABLE(socket_type_words);

static const struct word internet_protocol_words_items[] = {
	{"ip", IPPROTO_IP},
	{"icmp", IPPROTO_ICMP},
	{"igmp", IPPROTO_IGMP},
	{"ipip", IPPROTO_IPIP},
	{"tcp", IPPROTO_TCP},
	{"egp", IPPROTO_EGP},
	{"pup", IPPROTO_PUP},
	{"udp", IPPROTO_UDP},
	{"idp", IPPROTO_IDP},
	{"tp", IPPROTO_TP},
	{"dccp", IPPROTO_DCCP},
	{"ipv6", IPPROTO_IPV6},
	{"rsvp", IPPROTO_RSVP},
	{"gre", IPPROTO_GRE},
	{"esp", IPPROTO_ESP},
	{"ah", IPPROTO_AH},
	{"icmpv6", IPPROTO_ICMPV6},
	{"mtp", IPPROTO_MTP},
	{"beetph", IPPROTO_BEETPH},
	{"encap", IPPROTO_ENCAP},
	{"pim", IPPROTO_PIM},
	{"comp", IPPROTO_COMP},
	{"l2tp", 115},
	{"sctp", IPPROTO_SCTP},
	{"udplite", IPPROTO_UDPLITE},
	{"mpls", IPPROTO_MPLS},
	{"ethernet", IPPROTO_ETHERNET},
	{"raw", IPPROTO_RAW},
	{"mptcp", IPPROTO_MPTCP},
};
TABLE(internet_protocol_words);

static const struct word netlink_protocol_words_items[] = {
	{"route", NETLINK_ROUTE},
	{"usersock", NETLINK_USERSOCK},
	{"firewall", NETLINK_FIREWALL},
	{"sock_diag", NETLINK_SOCK_DIAG},
	{"inet_diag", NETLINK_INET_DIAG},
	{"nflog", NETLINK_NFLOG},
	{"xfrm", NETLINK_XFRM},
	{"selinux", NETLINK_SELINUX},
	{"iscsi", NETLINK_ISCSI},
	{"audit", NETLINK_AUDIT},
	{"fib_lookup", NETLINK_FIB_LOOKUP},
	{"connector", NETLINK_CONNECTOR},
	{"netfilter", NETLINK_NETFILTER},
	{"ip6_fw", NETLINK_IP6_FW},
	{"dnrtmsg", NETLINK_DNRTMSG},
	{"kobject_uevent", NETLINK_KOBJECT_UEVENT},
	{"generic", NETLINK_GENERIC},
	{"scsitransport", NETLINK_SCSITRANSPORT},
	{"ecryptfs", NETLINK_ECRYPTFS},
	{"rdma", NETLINK_RDMA},
	{"crypto", NETLINK_CRYPTO},
	{"smc", NETLINK_SMC},
};
TABLE(netlink_protocol_words);

/* Names that share their value with another, for which strerrorname_np has the other. */
static const struct word errno_alias_items[] = {
	{"EWOULDBLOCK", EWOULDBLOCK},
	{"EDEADLOCK", EDEADLOCK},
	{"ENOTSUP", ENOTSUP},
};
static const struct words errno_aliases = {errno_alias_items, array_length(errno_alias_items)};

#define ERRNO_END 256 /* the kernel's own names for programs end well below */

const struct word *word_find(const struct words *words, const char *text, size_t length)
{
	for (size_t i = 0; i < words->count; i++) {
		if (!strncmp(words->items[i].name, text, length) &&
			words->items[i].name[length] == '\0') {
			return &words->items[i];
		}
	}
	return NULL;
}

const char *word_name(const struct words *words, long value)
{
	for (size_t i = 0; i < words->count; i++) {
		if (words->items[i].value == value) {
			return words->items[i].name;
		}
	}
	return NULL;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

#define NEAREST_WORD_MAX 40

/* Both at most NEAREST_WORD_MAX bytes. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][NEAREST_WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_length; j++) {
		above[j] = j;
	}
	for (size_t i = 1; i <= a_length; i++) {
		size_t *unused = before;

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			int x = tolower((unsigned char)a[i - 1]);
			int y = tolower((unsigned char)b[j - 1]);

			row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
				y == tolower((unsigned char)a[i - 2]) &&
				before[j - 2] + 1 < row[j]) {
				row[j] = before[j - 2] + 1;
			}
		}
		before = above;
		above = row;
		row = unused;
	}
	return above[b_length];
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
	size_t length = strlen(candidate), distance;

	if (nearest->length > NEAREST_WORD_MAX || length > NEAREST_WORD_MAX) {
		return;
	}
	distance = edit_distance(nearest->word, nearest->length, candidate, length);
	if (distance > (nearest->length + 1) / 3 || distance >= length ||
		(nearest->best && distance >= nearest->distance)) {
		return;
	}
	nearest->best = candidate;
	nearest->distance = distance;
}

void nearest_offer_words(struct nearest *nearest, const struct words *words)
{
	for (size_t i = 0; i < words->count; i++) {
		nearest_offer(nearest, words->items[i].name);
	}
}

void nearest_offer_errnos(struct nearest *nearest)
{
	for (int error = 1; error < ERRNO_END; error++) {
		const char *name = strerrorname_np(error);

		if (name) {
			nearest_offer(nearest, name);
		}
	}
	nearest_offer_words(nearest, &errno_aliases);
}

const char *nearest_hint(const struct nearest *nearest, char *text, size_t size)
{
	text[0] = '\0';
	if (nearest->best) {
		snprintf(text, size, "; did you mean '%s'?", nearest->best);
	}
	return text;
}

const char *policy_action_name(enum policy_action action)
{
	return word_name(&action_words, action);
}

const char *policy_section_name(enum policy_section section)
{
	return word_name(&section_words, section);
}

const char *policy_operation_name(unsigned int operation)
{
	unsigned int lowest = operation & -operation;
	const char *name = word_name(&file_operation_words, lowest);

	return name ? name : word_name(&network_operation_words, lowest);
}

const char *policy_network_name(enum wire_network network)
{
	return word_name(&network_words, network);
}

const char *policy_errno_name(int error)
{
	return error > 0 ? strerrorname_np(error) : NULL;
}

int policy_errno_value(const char *name)
{
	const struct word *alias = word_find(&errno_aliases, name, strlen(name));

	for (int error = 1; !alias && error < ERRNO_END; error++) {
		const char *known = strerrorname_np(error);

		if (known && !strcmp(known, name)) {
			return error;
		}
	}
	return alias ? (int)alias->value : 0;
}
