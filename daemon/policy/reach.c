/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/reach.h"

#include <netinet/in.h>
#include <sys/socket.h>

static bool passes(const struct policy *policy, int family, int type, int protocol)
{
	struct policy_verdict verdict = policy_decide_socket(policy, family, type, protocol);

	return verdict.action == POLICY_ALLOW || verdict.action == POLICY_INJECT;
}

bool reach_internet(const struct policy *policy, int family, enum endpoint_kind kind)
{
	int type = kind == ENDPOINT_TCP ? SOCK_STREAM : SOCK_DGRAM;
	int protocol = kind == ENDPOINT_TCP ? IPPROTO_TCP : IPPROTO_UDP;

	if (family == AF_UNSPEC) {
		return reach_internet(policy, AF_INET, kind) ||
		       reach_internet(policy, AF_INET6, kind);
	}
	/* An IPv6 socket reaches IPv4 addresses too. */
	return passes(policy, family, type, 0) || passes(policy, family, type, protocol) ||
	       (kind == ENDPOINT_TCP && passes(policy, family, type, IPPROTO_MPTCP)) ||
	       (family == AF_INET && reach_internet(policy, AF_INET6, kind));
}

bool reach_unix(const struct policy *policy)
{
	return passes(policy, AF_UNIX, SOCK_STREAM, 0) || passes(policy, AF_UNIX, SOCK_DGRAM, 0) ||
	       passes(policy, AF_UNIX, SOCK_SEQPACKET, 0);
}
