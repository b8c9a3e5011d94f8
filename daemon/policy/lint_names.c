/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name is known only by the questions that were asked for it. So a rule that names a host needs
 * programs that can ask, files that say what the system's administrator says, and is a weak
 * denial: what leads to an address is not all that the address is.
 */
#include "daemon/policy/lint_names.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"

static void lint_host(
	struct lint *lint, const struct policy_rule *rule, const struct policy_subject *subject)
{
	const struct endpoint_subject *endpoint = &subject->endpoint;

	if (rule->action == POLICY_DENY || rule->action == POLICY_KILL) {
		lint_warn(lint, lint_place_of(rule, subject),
			"'%s' is a weak denial: the same address can be reached by another name "
			"or by none; deny addresses, or allow only what is meant",
			subject->text);
	} else if (endpoint->host_below && !strchr(endpoint->host, '.')) {
		lint_warn(lint, lint_place_of(rule, subject),
			"'%s' allows every host whose owner has a name below '%s'", subject->text,
			endpoint->host);
	}
}

static void lint_hosts(struct lint *lint)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(lint->policy, POLICY_NETWORK, &count);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < rules[i].subject_count; k++) {
			if (rules[i].subjects[k].endpoint.host) {
				lint_host(lint, &rules[i], &rules[i].subjects[k]);
			}
		}
	}
}

/* The broker is asked instead, whoever was meant. */
static void lint_nameservers(struct lint *lint)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(lint->policy, POLICY_NETWORK, &count);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < rules[i].subject_count; k++) {
			const struct policy_subject *subject = &rules[i].subjects[k];

			if (subject->endpoint.port_first == NS_DEFAULTPORT &&
				subject->endpoint.port_last == NS_DEFAULTPORT) {
				lint_warn(lint, lint_place_of(&rules[i], subject),
					"'%s' never matches: rules name hosts, so the broker "
					"answers for port 53 itself",
					subject->text);
			}
		}
	}
}

static bool datagrams_pass(const struct policy *policy)
{
	return policy_decide_socket(policy, AF_INET, SOCK_DGRAM, IPPROTO_IP).action !=
		       POLICY_DENY ||
	       policy_decide_socket(policy, AF_INET6, SOCK_DGRAM, IPPROTO_IP).action != POLICY_DENY;
}

/* What the broker takes the system's word for. */
static void lint_sources(struct lint *lint)
{
	static const char *const sources[] = {"/etc/hosts", "/etc/resolv.conf"};

	for (size_t i = 0; i < array_length(sources); i++) {
		struct policy_verdict verdict =
			policy_decide_file(lint->policy, OPERATION_WRITE, sources[i]);

		if (verdict.action == POLICY_ALLOW) {
			lint_warn(lint, lint_place_of(verdict.rule, verdict.subject),
				"this allows writing to %s: whoever may do that says where names "
				"lead, and rules name hosts",
				sources[i]);
		}
	}
}

void lint_names(struct lint *lint)
{
	const struct policy_section_rules *network = &lint->policy->sections[POLICY_NETWORK];

	lint_hosts(lint);
	if (!policy_names_hosts(lint->policy)) {
		return;
	}
	lint_nameservers(lint);
	if (!datagrams_pass(lint->policy)) {
		lint_warn(lint, network->place,
			"rules name hosts, and [sockets] lets no inet/dgram through, by which "
			"programs ask for names");
	}
	if (policy_has_section(lint->policy, POLICY_FILES)) {
		lint_sources(lint);
	}
}
