/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy that names hosts says beyond its rules: who answers questions about names, and
 * which may be asked for at all. A name that leads nowhere where a program may go is not carried
 * outside, or it would carry out whatever a program writes into its labels.
 *
 * A rule lets a name be asked for if it allows connections to the name, or to any address; rules on
 * single addresses and prefixes speak of no name. What an earlier rule refuses altogether, an
 * allowance does not bring back.
 */
#include <arpa/nameser.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/host.h"
#include "daemon/policy/model.h"

static bool is_internet(const struct endpoint_subject *subject)
{
	return !subject->any && !subject->pattern;
}

/* Is the subject about whatever address the name leads to? */
static bool speaks_of(const struct endpoint_subject *subject, const char *name)
{
	if (subject->any) {
		return true;
	}
	if (!is_internet(subject)) {
		return false;
	}
	return subject->host ? host_subject_matches(subject, name) : subject->family == AF_UNSPEC;
}

/* Nothing that `subject` (NULL: the default) would allow of the name is left by `before`? */
static bool takes_away(const struct endpoint_subject *before,
	const struct endpoint_subject *subject, const char *name)
{
	if (before->any || !subject || subject->any) {
		return before->any;
	}
	return before->kind == subject->kind && speaks_of(before, name) &&
	       before->port_first <= subject->port_first && before->port_last >= subject->port_last;
}

static bool allows(const struct policy_rule *rule)
{
	return rule->action == POLICY_ALLOW || rule->action == POLICY_INJECT;
}

/* The verdict of the first rule before `end` that refuses what `subject` would allow. */
static bool find_refusal(const struct policy_rule *first, const struct policy_rule *end,
	const struct endpoint_subject *subject, const char *name, struct policy_verdict *refusal)
{
	for (const struct policy_rule *rule = first; rule < end; rule++) {
		for (size_t i = 0; !allows(rule) && (rule->operations & OPERATION_CONNECT) &&
				   i < rule->subject_count;
			i++) {
			if (takes_away(&rule->subjects[i].endpoint, subject, name)) {
				*refusal = policy_verdict_of(
					rule, &rule->subjects[i], OPERATION_CONNECT);
				return true;
			}
		}
	}
	return false;
}

struct policy_verdict policy_decide_name(const struct policy *policy, const char *name)
{
	const struct policy_section_rules *network = &policy->sections[POLICY_NETWORK];
	struct policy_verdict refusal;
	bool refused = false;

	if (!network->present) {
		return policy_verdict_of(&network->absent, NULL, OPERATION_CONNECT);
	}
	const struct policy_rule *fallback = &network->rules[network->count - 1];
	for (const struct policy_rule *rule = network->rules; rule < fallback; rule++) {
		for (size_t i = 0; allows(rule) && (rule->operations & OPERATION_CONNECT) &&
				   i < rule->subject_count;
			i++) {
			const struct endpoint_subject *subject = &rule->subjects[i].endpoint;

			if (!speaks_of(subject, name)) {
				continue;
			}
			if (!find_refusal(network->rules, rule, subject, name, &refusal)) {
				return policy_verdict_of(
					rule, &rule->subjects[i], OPERATION_CONNECT);
			}
			refused = true;
		}
	}
	if (allows(fallback) && find_refusal(network->rules, fallback, NULL, name, &refusal)) {
		return refusal;
	}
	return refused && !allows(fallback) ? refusal
					    : policy_verdict_of(fallback, NULL, OPERATION_CONNECT);
}

/* ---- what a policy that names hosts says by itself ---- */

static const struct policy_rule asks_broker = {
	.section = POLICY_NETWORK,
	.action = POLICY_INJECT,
	.operations = OPERATION_CONNECT,
	.origin = {.file = "", .text = "(rules name hosts: the broker answers for port 53)"},
};
static const struct policy_rule closes_resolvers = {
	.section = POLICY_NETWORK,
	.action = POLICY_DENY,
	.error = ENOENT,
	.operations = OPERATION_CONNECT,
	.quiet = true,
	.origin = {.file = "", .text = "(rules name hosts: other resolvers are closed)"},
};

/* Where the C library asks before it asks a server; without an answer it goes on. */
static const char *const resolver_sockets[] = {
	"/run/systemd/resolve/io.systemd.Resolve",
	"/run/systemd/resolve/io.systemd.Resolve.Monitor",
	"/run/nscd/socket",
	"/var/run/nscd/socket",
	"/run/avahi-daemon/socket",
};

static bool is_resolver_socket(const struct policy_endpoint *endpoint)
{
	size_t i = 0;

	while (i < array_length(resolver_sockets) &&
		strcmp(resolver_sockets[i], endpoint->path) != 0) {
		i++;
	}
	return i < array_length(resolver_sockets);
}

const struct policy_rule *policy_own_rule(const struct policy *policy,
	enum policy_operation operation, const struct policy_endpoint *endpoint)
{
	if (!policy->names_hosts || operation != OPERATION_CONNECT) {
		return NULL;
	}
	switch (endpoint->kind) {
	case ENDPOINT_TCP:
	case ENDPOINT_UDP:
		return endpoint->port == NS_DEFAULTPORT ? &asks_broker : NULL;
	case ENDPOINT_UNIX_PATH:
		return is_resolver_socket(endpoint) ? &closes_resolvers : NULL;
	default:
		return NULL;
	}
}

bool policy_names_hosts(const struct policy *policy)
{
	return policy->names_hosts;
}

bool policy_asks_broker(const struct policy_verdict *verdict)
{
	return verdict->rule == &asks_broker;
}
