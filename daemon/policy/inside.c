/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/inside.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define LOOPBACK_BITS 8 /* 127.0.0.0/8 */

static const struct policy_rule own_rule = {
	.section = POLICY_NETWORK,
	.action = POLICY_ALLOW,
	.operations = OPERATIONS_NETWORK,
	.is_default = true,
	.origin = {.file = "", .text = "(net = broker: of the session's own network)"},
};

/* The kernel's own answer in a network without a way out. */
static const struct policy_rule no_way_rule = {
	.section = POLICY_NETWORK,
	.action = POLICY_DENY,
	.error = ENETUNREACH,
	.operations = OPERATIONS_NETWORK,
	.is_default = true,
	.origin = {.file = "", .text = "(net = broker without [network]: nothing leads out)"},
};

static bool is_of_loopback(int family, const uint8_t address[16])
{
	return family == AF_INET ? address[0] == IN_LOOPBACKNET
				 : memcmp(address, &in6addr_loopback, 16) == 0;
}

static bool is_all_addresses(const struct policy_endpoint *endpoint)
{
	static const uint8_t zero[16];

	return memcmp(endpoint->address, zero, endpoint->family == AF_INET ? 4 : 16) == 0;
}

static bool names_loopback(const struct policy_subject *subject)
{
	const struct endpoint_subject *endpoint = subject ? &subject->endpoint : NULL;

	return endpoint && !endpoint->any && !endpoint->pattern && endpoint->family != AF_UNSPEC &&
	       endpoint->prefix >= (endpoint->family == AF_INET ? LOOPBACK_BITS : 128) &&
	       is_of_loopback(endpoint->family, endpoint->address);
}

static bool lets(const struct policy_verdict *verdict)
{
	return verdict->action == POLICY_ALLOW || verdict->action == POLICY_INJECT;
}

/* Nobody outside sees what is bound to all addresses inside: only who says no is heard. */
static bool is_own(enum policy_operation operation, const struct policy_endpoint *endpoint,
	const struct policy_verdict *verdict)
{
	if (is_of_loopback(endpoint->family, endpoint->address)) {
		return !names_loopback(verdict->subject);
	}
	return operation == OPERATION_BIND && is_all_addresses(endpoint) && !lets(verdict) &&
	       verdict->rule->is_default;
}

struct policy_verdict inside_judge(const struct policy *policy, enum policy_operation operation,
	const struct policy_endpoint *endpoint, struct policy_verdict verdict)
{
	bool is_present = policy->sections[POLICY_NETWORK].present;
	struct policy_verdict answer = verdict;

	if (endpoint->kind != ENDPOINT_TCP && endpoint->kind != ENDPOINT_UDP) {
		return verdict;
	}
	if (!is_present && !(operation == OPERATION_BIND && is_all_addresses(endpoint)) &&
		!is_of_loopback(endpoint->family, endpoint->address)) {
		return (struct policy_verdict){
			.action = POLICY_DENY, .error = ENETUNREACH, .rule = &no_way_rule};
	}
	if (!is_present || is_own(operation, endpoint, &verdict)) {
		return (struct policy_verdict){.action = POLICY_ALLOW, .rule = &own_rule};
	}
	answer.outside = lets(&verdict);
	return answer;
}
