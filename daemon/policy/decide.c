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
#include "daemon/policy/model.h"
#include "daemon/policy/pattern.h"

/* What a section is asked. */
struct question {
	enum policy_section section;
	unsigned int operations;
	bool (*matches)(const struct policy_subject *subject, const void *request);
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

static struct policy_verdict verdict_of(
	const struct policy_rule *rule, const struct policy_subject *subject)
{
	return (struct policy_verdict){
		.action = rule->action,
		.error = rule->action == POLICY_DENY ? rule->error : 0,
		.log = belongs_into_log(rule),
		.rule = rule,
		.subject = subject,
	};
}

static const struct policy_subject *find_subject(
	const struct policy_rule *rule, const struct question *question)
{
	for (size_t i = 0; i < rule->subject_count; i++) {
		if (question->matches(&rule->subjects[i], question->request)) {
			return &rule->subjects[i];
		}
	}
	return NULL;
}

/*
 * The rule for one operation (or, for sockets, for none); `*alsop` are all operations asked for
 * that get their answer from the same rule.
 */
static struct policy_verdict decide_first(const struct policy *policy,
	const struct question *question, unsigned int operations, unsigned int *alsop)
{
	const struct policy_section_rules *section = &policy->sections[question->section];
	unsigned int operation = operations & -operations;

	*alsop = operations;
	for (size_t i = 0; i + 1 < section->count; i++) {
		const struct policy_rule *rule = &section->rules[i];
		const struct policy_subject *subject;

		if (operations != 0 && (rule->operations & *alsop) == 0) {
			continue;
		}
		subject = find_subject(rule, question);
		if (subject && (operations == 0 || (rule->operations & operation) != 0)) {
			*alsop &= rule->operations;
			return verdict_of(rule, subject);
		}
		if (subject) {
			*alsop &= ~rule->operations; /* these have their answer already */
		}
	}
	return verdict_of(&section->rules[section->count - 1], NULL);
}

/*
 * An injection stands for all operations asked for, or for none: a descriptor of the other file
 * with rights that were granted on the first would be nobody's rule.
 */
static void merge_allowed(struct policy_verdict *verdict, const struct policy_verdict *next)
{
	bool injects = verdict->action == POLICY_INJECT || next->action == POLICY_INJECT;

	if (injects && verdict->subject != next->subject) {
		if (next->action == POLICY_INJECT && verdict->action != POLICY_INJECT) {
			*verdict = *next;
		}
		verdict->action = POLICY_DENY;
		verdict->error = EACCES;
		verdict->log = true;
	} else if (next->log && !verdict->log) {
		*verdict = *next;
	}
}

static bool is_refusal(const struct policy_verdict *verdict)
{
	return verdict->action == POLICY_DENY || verdict->action == POLICY_KILL;
}

static struct policy_verdict decide(const struct policy *policy, const struct question *question)
{
	unsigned int rest = question->operations, also;
	struct policy_verdict verdict, next, mixed;
	bool is_mixed = false;

	if (!policy->sections[question->section].present) {
		return verdict_of(&policy->sections[question->section].absent, NULL);
	}
	verdict = decide_first(policy, question, rest, &also);
	while (!is_refusal(&verdict) && (rest &= ~also) != 0) {
		next = decide_first(policy, question, rest, &also);
		if (is_refusal(&next)) {
			return next;
		}
		if (is_mixed) {
			continue; /* a later operation may still have its own refusal */
		}
		mixed = verdict;
		merge_allowed(&mixed, &next);
		if (is_refusal(&mixed)) {
			is_mixed = true;
		} else {
			verdict = mixed;
		}
	}
	return is_mixed ? mixed : verdict;
}

struct path_request {
	const char *path;
	size_t length;
};

static bool path_matches(const struct policy_subject *subject, const void *request)
{
	const struct path_request *path = request;

	return pattern_matches(subject->path.pattern, path->path, path->length);
}

struct policy_verdict policy_decide_file(
	const struct policy *policy, unsigned int operations, const char *path)
{
	struct path_request request = {path, strlen(path)};
	struct question question = {POLICY_FILES, operations, path_matches, &request};

	return decide(policy, &question);
}

static bool endpoint_matches(const struct policy_subject *subject, const void *request)
{
	return endpoint_subject_matches(&subject->endpoint, request);
}

struct policy_verdict policy_decide_endpoint(const struct policy *policy,
	enum policy_operation operation, const struct policy_endpoint *endpoint)
{
	struct policy_endpoint request = *endpoint;
	struct question question = {POLICY_NETWORK, operation, endpoint_matches, &request};

	endpoint_canonical(&request, operation);
	if (request.kind == ENDPOINT_UNIX_PATH) {
		request.path_length = strlen(request.path);
	}
	return decide(policy, &question);
}

static bool socket_matches(const struct policy_subject *subject, const void *request)
{
	const struct socket_subject *asked = request, *socket = &subject->socket;

	return (socket->family < 0 || socket->family == asked->family) &&
	       (socket->type < 0 || socket->type == asked->type) &&
	       (socket->protocol < 0 || socket->protocol == asked->protocol);
}

struct policy_verdict policy_decide_socket(
	const struct policy *policy, int family, int type, int protocol)
{
	struct socket_subject request = {family, type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), protocol};
	struct question question = {POLICY_SOCKETS, 0, socket_matches, &request};

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

bool policy_mediates_endpoint(const struct policy *policy, enum policy_operation operation)
{
	return mediates(policy, POLICY_NETWORK, operation, covers_all_endpoints);
}

const char *policy_inject_path(const struct policy_verdict *verdict)
{
	if (verdict->action != POLICY_INJECT || verdict->rule->section != POLICY_FILES ||
		!verdict->subject) {
		return NULL;
	}
	return verdict->subject->path.replacement;
}
