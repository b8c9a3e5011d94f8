/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The question whether a name may be asked for at all: a name that leads nowhere where a program
 * may go is not carried outside, or it would carry out whatever a program writes into its labels.
 *
 * A rule lets a name be asked for if it allows connections to the name, or to any address; rules on
 * single addresses and prefixes speak of no name. What an earlier rule refuses altogether, an
 * allowance does not bring back.
 */
#include <sys/socket.h>

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
