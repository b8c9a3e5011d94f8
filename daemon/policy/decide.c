/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The questions: pure functions of the policy and the request. The rules of a section are tried in
 * order; the first that speaks of the operation and matches decides, the default is the last.
 *
 * Denials that are not `quiet`, injections and kills belong into the audit log; what is allowed
 * only where a rule says `audit`.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/policy/address.h"
#include "daemon/policy/inside.h"
#include "daemon/policy/model.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/socket_subject.h"

/* What a section is asked. */
struct question {
	enum policy_section section;
	unsigned int operations;
	/* The verdict on one operation; 0 where the section has none. The section is there. */
	struct policy_verdict (*ask)(
		const struct policy *policy, unsigned int operation, const void *request);
	const void *request;
};

static bool belongs_into_log(const struct policy_rule *rule)
{
	switch (rule->action) {
	case POLICY_ALLOW:
		return rule->audit;
	case POLICY_DENY:
		return !rule->quiet;
	default:
		return true;
	}
}

/* Of a rule that names no errno each operation has its own. */
static int error_of(const struct policy_rule *rule, unsigned int operation)
{
	if (rule->action != POLICY_DENY) {
		return 0;
	}
	return rule->error_is_implied ? policy_default_errno(rule->section, operation)
				      : rule->error;
}

struct policy_verdict policy_verdict_of(const struct policy_rule *rule,
	const struct policy_subject *subject, unsigned int operation)
{
	return (struct policy_verdict){
		.action = rule->action,
		.error = error_of(rule, operation),
		.log = belongs_into_log(rule),
		.rule = rule,
		.subject = subject,
	};
}

static struct policy_verdict verdict_of_default(
	const struct policy_section_rules *section, unsigned int operation)
{
	const struct policy_rule *rule = &section->rules[section->count - 1];
	bool speaks = operation == 0 || (rule->operations & operation) != 0;

	return policy_verdict_of(speaks ? rule : &section->unspoken, NULL, operation);
}

/* Tries the rules one by one: of kinds of sockets there are few. */
static struct policy_verdict try_rules(const struct policy_section_rules *section,
	unsigned int operation,
	bool (*matches)(const struct policy_subject *subject, const void *request),
	const void *request)
{
	for (size_t i = 0; i + 1 < section->count; i++) {
		const struct policy_rule *rule = &section->rules[i];

		if (operation != 0 && (rule->operations & operation) == 0) {
			continue;
		}
		for (size_t k = 0; k < rule->subject_count; k++) {
			if (matches(&rule->subjects[k], request)) {
				return policy_verdict_of(rule, &rule->subjects[k], operation);
			}
		}
	}
	return verdict_of_default(section, operation);
}

static bool is_refusal(const struct policy_verdict *verdict)
{
	return verdict->action == POLICY_DENY || verdict->action == POLICY_KILL;
}

/*
 * Both allow or inject. An injection stands for all operations asked for, or for none: a descriptor
 * of the other file with rights that were granted on the first would be nobody's rule.
 */
static bool is_mixture(const struct policy_verdict *verdict, const struct policy_verdict *next)
{
	bool injects = verdict->action == POLICY_INJECT || next->action == POLICY_INJECT;

	return injects && verdict->subject != next->subject;
}

/* The refusal of a mixture is told by the rule that injects. */
static struct policy_verdict refuse_mixture(
	const struct policy_verdict *verdict, const struct policy_verdict *next)
{
	struct policy_verdict refusal = verdict->action == POLICY_INJECT ? *verdict : *next;

	refusal.action = POLICY_DENY;
	refusal.error = EACCES;
	refusal.log = true;
	return refusal;
}

static struct policy_verdict decide(const struct policy *policy, const struct question *question)
{
	unsigned int rest = question->operations;
	struct policy_verdict verdict, next, mixture;
	bool mixed = false;

	if (!policy->sections[question->section].present) {
		return policy_verdict_of(
			&policy->sections[question->section].absent, NULL, question->operations);
	}
	verdict = question->ask(policy, rest & -rest, question->request);
	while (!is_refusal(&verdict) && (rest &= rest - 1) != 0) {
		next = question->ask(policy, rest & -rest, question->request);
		if (is_refusal(&next)) {
			return next;
		}
		if (!mixed && is_mixture(&verdict, &next)) {
			mixture = refuse_mixture(&verdict, &next);
			mixed = true;
		}
		if (next.log && !verdict.log) {
			verdict = next; /* the log tells of the one that wants to be there */
		}
	}
	return mixed ? mixture : verdict;
}

struct path_request {
	const struct policy *policy;
	unsigned int operation;
	const char *path;
	size_t length;
};

static bool path_passes(const struct pattern *pattern, size_t order, const void *user)
{
	const struct path_request *request = user;

	return (request->policy->paths[order].operations & request->operation) != 0 &&
	       pattern_matches(pattern, request->path, request->length);
}

static struct policy_verdict ask_file(
	const struct policy *policy, unsigned int operation, const void *user)
{
	const char *path = user;
	struct path_request request = {policy, operation, path, strlen(path)};
	size_t order = pattern_index_find(
		policy->path_index, path, request.length, ORDER_NONE, path_passes, &request);

	if (order == ORDER_NONE) {
		return verdict_of_default(&policy->sections[POLICY_FILES], operation);
	}
	return policy_verdict_of(
		policy->paths[order].rule, policy->paths[order].subject, operation);
}

struct policy_verdict policy_decide_file(
	const struct policy *policy, unsigned int operations, const char *path)
{
	struct question question = {POLICY_FILES, operations, ask_file, path};

	return decide(policy, &question);
}

struct endpoint_request {
	const struct policy *policy;
	unsigned int operation;
	const struct policy_endpoint *endpoint;
};

static bool endpoint_passes(const struct endpoint_subject *subject, size_t order, const void *user)
{
	const struct endpoint_request *request = user;

	return (request->policy->endpoints[order].operations & request->operation) != 0 &&
	       endpoint_subject_matches(subject, request->endpoint);
}

static struct policy_verdict ask_endpoint(
	const struct policy *policy, unsigned int operation, const void *user)
{
	struct endpoint_request request = {policy, operation, user};
	size_t order = endpoint_index_find(
		policy->endpoint_index, request.endpoint, endpoint_passes, &request);

	if (order == ORDER_NONE) {
		return verdict_of_default(&policy->sections[POLICY_NETWORK], operation);
	}
	return policy_verdict_of(
		policy->endpoints[order].rule, policy->endpoints[order].subject, operation);
}

struct policy_verdict policy_decide_endpoint(const struct policy *policy,
	enum policy_operation operation, const struct policy_endpoint *endpoint)
{
	struct policy_endpoint request = *endpoint;
	struct question question = {POLICY_NETWORK, operation, ask_endpoint, &request};
	const struct policy_rule *own = policy_own_rule(policy, operation, endpoint);

	if (own) {
		struct policy_verdict verdict = policy_verdict_of(own, NULL, OPERATION_CONNECT);
		verdict.log = false;
		return verdict;
	}
	endpoint_canonical(&request, operation);
	if (request.kind == ENDPOINT_UNIX_PATH) {
		request.path_length = strlen(request.path);
	}
	struct policy_verdict verdict = decide(policy, &question);
	return policy_network(policy) == WIRE_NETWORK_BROKER
		       ? inside_judge(policy, operation, &request, verdict)
		       : verdict;
}

static bool socket_matches(const struct policy_subject *subject, const void *request)
{
	return socket_subject_covers(&subject->socket, request);
}

static struct policy_verdict ask_socket(
	const struct policy *policy, unsigned int operation, const void *request)
{
	return try_rules(&policy->sections[POLICY_SOCKETS], operation, socket_matches, request);
}

struct policy_verdict policy_decide_socket(
	const struct policy *policy, int family, int type, int protocol)
{
	struct socket_subject request = {family, type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), protocol};
	struct question question = {POLICY_SOCKETS, 0, ask_socket, &request};

	return decide(policy, &question);
}

static bool covers_all_files(const struct policy_subject *subject)
{
	return pattern_is_everything(subject->path.pattern);
}

static bool covers_all_endpoints(const struct policy_subject *subject)
{
	return subject->endpoint.any;
}

/* Rules behind a plain allow of everything are never reached. */
static bool mediates(const struct policy *policy, enum policy_section section,
	unsigned int operation, bool (*covers_all)(const struct policy_subject *subject))
{
	const struct policy_section_rules *rules = &policy->sections[section];

	for (size_t i = 0; rules->present && i < rules->count; i++) {
		const struct policy_rule *rule = &rules->rules[i];

		if ((rule->operations & operation) == 0) {
			continue;
		}
		if (rule->action != POLICY_ALLOW || rule->audit) {
			return true;
		}
		for (size_t k = 0; k < rule->subject_count; k++) {
			if (covers_all(&rule->subjects[k])) {
				return false;
			}
		}
	}
	return false;
}

bool policy_mediates_file(const struct policy *policy, enum policy_operation operation)
{
	return mediates(policy, POLICY_FILES, operation, covers_all_files);
}

/* Where sockets are changed on their way out, each address is looked at. */
bool policy_mediates_endpoint(const struct policy *policy, enum policy_operation operation)
{
	if (policy_network(policy) == WIRE_NETWORK_BROKER &&
		policy->sections[POLICY_NETWORK].present) {
		return true;
	}
	return mediates(policy, POLICY_NETWORK, operation, covers_all_endpoints);
}

/* What of the names below a directory a subject speaks of; of an address by number: none. */
static enum pattern_reach reach_below(
	const struct policy_rule *rule, size_t index, const char *directory, size_t length)
{
	const struct policy_subject *subject = &rule->subjects[index];

	if (rule->section == POLICY_FILES) {
		return pattern_reach_below(subject->path.pattern, directory, length);
	}
	if (subject->endpoint.any) {
		return PATTERN_EVERYTHING;
	}
	return subject->endpoint.kind == ENDPOINT_UNIX_PATH
		       ? pattern_reach_below(subject->endpoint.pattern, directory, length)
		       : PATTERN_NOTHING;
}

/* Rules behind one that takes everything for an operation are never asked about it. */
static bool is_uniform_below(const struct policy_section_rules *section, unsigned int operations,
	const char *directory, size_t length)
{
	unsigned int rest = section->present ? operations : 0;

	for (size_t i = 0; i + 1 < section->count && rest != 0; i++) {
		const struct policy_rule *rule = &section->rules[i];
		unsigned int taken = 0;

		for (size_t k = 0; k < rule->subject_count && (rule->operations & rest) != 0; k++) {
			enum pattern_reach reach = reach_below(rule, k, directory, length);

			if (reach == PATTERN_EVERYTHING) {
				taken = rule->operations;
				break;
			}
			if (reach == PATTERN_SOMETHING) {
				return false;
			}
		}
		rest &= ~taken;
	}
	return true;
}

bool policy_is_uniform_below(const struct policy *policy, const char *directory)
{
	size_t length = strlen(directory);

	return is_uniform_below(
		       &policy->sections[POLICY_FILES], OPERATIONS_FILES, directory, length) &&
	       is_uniform_below(
		       &policy->sections[POLICY_NETWORK], OPERATIONS_NETWORK, directory, length);
}
