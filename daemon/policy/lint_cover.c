/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One subject covers another if whatever the second matches the first does too; for each kind there
 * is a test that may miss some, and never claims one too many. Several rules together cover a
 * subject if each of its operations is taken by one of them.
 */
#include "daemon/policy/lint_cover.h"

#include "daemon/policy/address.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/socket_subject.h"

/* Whether each number of `narrow` is among those of `wide`. */
static bool numbers_cover(const struct syscall_subject *wide, const struct syscall_subject *narrow)
{
	for (size_t i = 0; i < narrow->number_count; i++) {
		size_t k = 0;

		while (k < wide->number_count && wide->numbers[k] != narrow->numbers[i]) {
			k++;
		}
		if (k == wide->number_count) {
			return false;
		}
	}
	return narrow->number_count > 0;
}

static bool same_comparison(const struct comparison *a, const struct comparison *b)
{
	return a->argument == b->argument && a->operator== b->operator&& a->mask == b->mask &&
					     a->value == b->value;
}

/* Every comparison of `wide` is made by `narrow` too. */
static bool comparisons_cover(
	const struct syscall_subject *wide, const struct syscall_subject *narrow)
{
	for (size_t i = 0; i < wide->comparison_count; i++) {
		size_t k = 0;

		while (k < narrow->comparison_count &&
			!same_comparison(&wide->comparisons[i], &narrow->comparisons[k])) {
			k++;
		}
		if (k == narrow->comparison_count) {
			return false;
		}
	}
	return true;
}

static bool subject_covers(enum policy_section section, const struct policy_subject *wide,
	const struct policy_subject *narrow)
{
	switch (section) {
	case POLICY_SOCKETS:
		return socket_subject_covers(&wide->socket, &narrow->socket);
	default:
		return comparisons_cover(&wide->syscall, &narrow->syscall) &&
		       numbers_cover(&wide->syscall, &narrow->syscall);
	}
}

static bool rule_covers(const struct policy_rule *rule, const struct policy_subject *narrow)
{
	for (size_t i = 0; i < rule->subject_count; i++) {
		if (subject_covers(rule->section, &rule->subjects[i], narrow)) {
			return true;
		}
	}
	return false;
}

/* The first rule before rules[index] that covers the subject for this operation, or NULL. */
static const struct policy_rule *find_cover_of_operation(const struct policy_rule *rules,
	size_t index, unsigned int operation, const struct policy_subject *subject)
{
	for (size_t i = 0; i < index; i++) {
		if ((operation == 0 || (rules[i].operations & operation) != 0) &&
			rule_covers(&rules[i], subject)) {
			return &rules[i];
		}
	}
	return NULL;
}

/* A question to an index: which subject of an earlier rule covers this one. */
struct cover_request {
	const struct policy_choice *choices; /* the section's, by order */
	const struct policy_rule *rule;
	unsigned int operation;
	const struct policy_subject *narrow;
};

static bool is_candidate(const struct cover_request *request, size_t order)
{
	const struct policy_choice *choice = &request->choices[order];

	return choice->rule < request->rule && (choice->operations & request->operation) != 0;
}

static bool path_covers(const struct pattern *pattern, size_t order, const void *user)
{
	const struct cover_request *request = user;

	return is_candidate(request, order) &&
	       pattern_covers(pattern, request->narrow->path.pattern);
}

static bool endpoint_covers(const struct endpoint_subject *subject, size_t order, const void *user)
{
	const struct cover_request *request = user;

	return is_candidate(request, order) &&
	       endpoint_subject_covers(subject, &request->narrow->endpoint);
}

/* The same for paths and addresses, of which there may be thousands. */
static const struct policy_rule *find_indexed_cover(const struct policy *policy,
	const struct policy_rule *rule, unsigned int operation,
	const struct policy_subject *subject)
{
	bool is_path = rule->section == POLICY_FILES;
	struct cover_request request = {
		is_path ? policy->paths : policy->endpoints, rule, operation, subject};
	size_t length, order;
	const char *prefix;

	if (is_path) {
		prefix = pattern_prefix(subject->path.pattern, &length);
		order = pattern_index_find(
			policy->path_index, prefix, length, ORDER_NONE, path_covers, &request);
	} else {
		order = endpoint_index_find_cover(
			policy->endpoint_index, &subject->endpoint, endpoint_covers, &request);
	}
	return order != ORDER_NONE ? request.choices[order].rule : NULL;
}

static bool is_indexed(enum policy_section section)
{
	return section == POLICY_FILES || section == POLICY_NETWORK;
}

const struct policy_rule *lint_find_cover(const struct policy *policy,
	const struct policy_rule *rules, size_t index, const struct policy_subject *subject)
{
	unsigned int rest = rules[index].operations;
	const struct policy_rule *last = NULL, *cover;

	do {
		unsigned int operation = rest & -rest;

		cover = is_indexed(rules[index].section)
				? find_indexed_cover(policy, &rules[index], operation, subject)
				: find_cover_of_operation(rules, index, operation, subject);
		last = cover > last ? cover : last;
		rest &= rest - 1;
	} while (cover && rest != 0);
	return cover ? last : NULL;
}
