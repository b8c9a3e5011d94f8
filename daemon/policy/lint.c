/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each check asks the policy itself, by the functions that decide for programs, wherever a question
 * can be put so: a warning about what a rule lets through is then right about all the rules before
 * it. Where a file or socket of a table is let through by several rules, each is warned of once.
 */
#include "daemon/policy/lint.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/address.h"
#include "daemon/policy/lint_tables.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/report.h"
#include "daemon/policy/socket_subject.h"
#include "daemon/policy/words.h"

struct lint {
	const struct policy *policy;
	struct policy_report *reports;
	bool no_memory;
};

static void warn(struct lint *lint, struct policy_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A file that is included twice has two reports, but one is as good as the other. */
static void warn(struct lint *lint, struct policy_place place, const char *format, ...)
{
	size_t i = 0;
	va_list arguments;

	while (i + 1 < lint->policy->file_count && lint->policy->files[i].name != place.file) {
		i++;
	}
	va_start(arguments, format);
	if (report_add_list(&lint->reports[i], POLICY_WARNING, lint->policy->files[i].name,
		    place.line, place.column, format, arguments) < 0) {
		lint->no_memory = true;
	}
	va_end(arguments);
}

static struct policy_place place_of(
	const struct policy_rule *rule, const struct policy_subject *subject)
{
	return (struct policy_place){
		rule->origin.file,
		subject ? subject->line : rule->origin.line,
		subject ? subject->column : rule->origin.column,
	};
}

/* ---- rules that never match ---- */

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
	case POLICY_FILES:
		return pattern_covers(wide->path.pattern, narrow->path.pattern);
	case POLICY_NETWORK:
		return endpoint_subject_covers(&wide->endpoint, &narrow->endpoint);
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

/* A question to the index: which pattern covers this one. */
struct cover_request {
	const struct policy *policy;
	const struct policy_rule *rule;
	unsigned int operation;
	const struct pattern *narrow;
};

static bool path_covers(const struct pattern *pattern, size_t order, const void *user)
{
	const struct cover_request *request = user;
	const struct policy_rule *rule = request->policy->paths[order].rule;

	return rule < request->rule && (rule->operations & request->operation) != 0 &&
	       pattern_covers(pattern, request->narrow);
}

/* The same for paths, of which there may be thousands. */
static const struct policy_rule *find_path_cover(const struct policy *policy,
	const struct policy_rule *rule, unsigned int operation,
	const struct policy_subject *subject)
{
	struct cover_request request = {policy, rule, operation, subject->path.pattern};
	size_t length, order;
	const char *prefix = pattern_prefix(subject->path.pattern, &length);

	order = pattern_index_find(policy->path_index, prefix, length, path_covers, &request);
	return order != PATTERN_INDEX_NONE ? policy->paths[order].rule : NULL;
}

/*
 * The last of the rules that together take all that the subject of rules[index] could match, or
 * NULL if something is left for it.
 */
static const struct policy_rule *find_cover(const struct policy *policy,
	const struct policy_rule *rules, size_t index, const struct policy_subject *subject)
{
	unsigned int rest = rules[index].operations;
	const struct policy_rule *last = NULL, *cover;

	do {
		unsigned int operation = rest & -rest;

		cover = rules[index].section == POLICY_FILES
				? find_path_cover(policy, &rules[index], operation, subject)
				: find_cover_of_operation(rules, index, operation, subject);
		last = cover > last ? cover : last;
		rest &= rest - 1;
	} while (cover && rest != 0);
	return cover ? last : NULL;
}

/* One word of the file can have become several subjects; the first stands for them. */
static bool is_repeated(const struct policy_rule *rule, size_t index)
{
	const struct policy_subject *subject = &rule->subjects[index];

	return index > 0 && subject[-1].line == subject->line &&
	       subject[-1].column == subject->column;
}

static void lint_covered(struct lint *lint, enum policy_section section)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(lint->policy, section, &count);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < rules[i].subject_count; k++) {
			const struct policy_subject *subject = &rules[i].subjects[k];
			const struct policy_rule *cover =
				is_repeated(&rules[i], k)
					? NULL
					: find_cover(lint->policy, rules, i, subject);

			if (cover) {
				warn(lint, place_of(&rules[i], subject),
					"'%s' never matches: the rule at %s:%u is tried before and "
					"covers it",
					subject->text, cover->origin.file, cover->origin.line);
			}
		}
	}
}

/* ---- rules outside of what [sockets] lets through ---- */

static bool socket_passes(const struct policy *policy, int family, int type, int protocol)
{
	struct policy_verdict verdict = policy_decide_socket(policy, family, type, protocol);

	return verdict.action == POLICY_ALLOW || verdict.action == POLICY_INJECT;
}

static bool internet_passes(const struct policy *policy, int family, enum endpoint_kind kind)
{
	int type = kind == ENDPOINT_TCP ? SOCK_STREAM : SOCK_DGRAM;
	int protocol = kind == ENDPOINT_TCP ? IPPROTO_TCP : IPPROTO_UDP;

	if (family == AF_UNSPEC) {
		return internet_passes(policy, AF_INET, kind) ||
		       internet_passes(policy, AF_INET6, kind);
	}
	/* An IPv6 socket reaches IPv4 addresses too. */
	return socket_passes(policy, family, type, 0) ||
	       socket_passes(policy, family, type, protocol) ||
	       (kind == ENDPOINT_TCP && socket_passes(policy, family, type, IPPROTO_MPTCP)) ||
	       (family == AF_INET && internet_passes(policy, AF_INET6, kind));
}

static bool unix_passes(const struct policy *policy)
{
	return socket_passes(policy, AF_UNIX, SOCK_STREAM, 0) ||
	       socket_passes(policy, AF_UNIX, SOCK_DGRAM, 0) ||
	       socket_passes(policy, AF_UNIX, SOCK_SEQPACKET, 0);
}

static bool endpoint_passes(const struct policy *policy, const struct endpoint_subject *endpoint)
{
	if (endpoint->any) {
		return true;
	}
	return endpoint->pattern ? unix_passes(policy)
				 : internet_passes(policy, endpoint->family, endpoint->kind);
}

/* A denial of what cannot be had anyway does no harm; a permission was meant to permit. */
static void lint_unreachable(struct lint *lint)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(lint->policy, POLICY_NETWORK, &count);

	for (size_t i = 0; i < count; i++) {
		if (rules[i].action != POLICY_ALLOW && rules[i].action != POLICY_INJECT) {
			continue;
		}
		for (size_t k = 0; k < rules[i].subject_count; k++) {
			const struct policy_subject *subject = &rules[i].subjects[k];

			if (!endpoint_passes(lint->policy, &subject->endpoint)) {
				warn(lint, place_of(&rules[i], subject),
					"'%s' is never reached: [sockets] lets no such socket "
					"through",
					subject->text);
			}
		}
	}
}

/* ---- what hands out more than it seems ---- */

/* The places that were warned of for one rule. */
struct seen {
	const struct policy_rule *rules[LINT_TABLE_MAX];
	const char *kinds[LINT_TABLE_MAX];
	size_t count;
};

/* True once for each rule and kind. */
static bool is_new(struct seen *seen, const struct policy_rule *rule, const char *kind)
{
	for (size_t i = 0; i < seen->count; i++) {
		if (seen->rules[i] == rule && seen->kinds[i] == kind) {
			return false;
		}
	}
	if (seen->count < LINT_TABLE_MAX) {
		seen->rules[seen->count] = rule;
		seen->kinds[seen->count++] = kind;
	}
	return true;
}

/* The table's path with its variables filled in; NULL if one has no value. */
static const char *fill_in(struct lint *lint, const char *path, struct expansion *expansion)
{
	struct mistake mistake;
	int r = variables_expand(&lint->policy->variables, path, strlen(path), expansion, &mistake);

	lint->no_memory |= r == -ENOMEM;
	return r == 0 ? expansion->text : NULL;
}

static void lint_socket(
	struct lint *lint, const struct lint_place *known, const char *path, struct seen *seen)
{
	bool abstract = path[0] == '@';
	struct policy_endpoint endpoint = {
		.kind = abstract ? ENDPOINT_UNIX_ABSTRACT : ENDPOINT_UNIX_PATH,
		.path = path + abstract,
		.path_length = strlen(path + abstract),
	};
	struct policy_verdict verdict =
		policy_decide_endpoint(lint->policy, OPERATION_CONNECT, &endpoint);

	if (verdict.action == POLICY_ALLOW && is_new(seen, verdict.rule, known->what)) {
		warn(lint, place_of(verdict.rule, verdict.subject),
			"this allows connections to %s (%s): what it starts is not confined",
			known->what, path);
	}
}

static void lint_launchers(struct lint *lint)
{
	struct expansion expansion = {.text = NULL};
	struct seen seen = {.count = 0};

	for (size_t i = 0; i < lint_launcher_count; i++) {
		const char *path = fill_in(lint, lint_launchers_table[i].path, &expansion);

		if (path) {
			lint_socket(lint, &lint_launchers_table[i], path, &seen);
		}
	}
	expansion_finish(&expansion);
}

static void lint_later(struct lint *lint)
{
	struct expansion expansion = {.text = NULL};
	struct seen seen = {.count = 0};

	for (size_t i = 0; i < lint_later_count; i++) {
		const struct lint_place *known = &lint_later_table[i];
		const char *path = fill_in(lint, known->path, &expansion);
		struct policy_verdict verdict;

		if (!path) {
			continue;
		}
		verdict = policy_decide_file(lint->policy, OPERATION_WRITE, path);
		if (verdict.action == POLICY_ALLOW && is_new(&seen, verdict.rule, known->what)) {
			warn(lint, place_of(verdict.rule, verdict.subject),
				"this allows writing to %s (%s), which run later and unconfined",
				known->what, path);
		}
	}
	expansion_finish(&expansion);
}

/* ---- what is not mediated ---- */

static void lint_all(struct lint *lint, enum policy_section section)
{
	const struct policy_section_rules *rules = &lint->policy->sections[section];

	if (!rules->first_all.file) {
		return;
	}
	warn(lint, rules->first_all,
		section == POLICY_FILES
			? "'all' stands for read, write and create: remove, metadata, execute and "
			  "stat are not mediated yet"
			: "'all' stands for connect: bind is not mediated yet");
}

static void lint_network(struct lint *lint)
{
	const struct policy_section_rules *rules = &lint->policy->sections[POLICY_NETWORK];
	bool datagrams = internet_passes(lint->policy, AF_UNSPEC, ENDPOINT_UDP) ||
			 socket_passes(lint->policy, AF_UNIX, SOCK_DGRAM, 0);

	warn(lint, rules->place,
		datagrams ? "bind, and datagrams that are sent without connect, are not mediated "
			    "yet; [sockets] can refuse datagram sockets as a whole"
			  : "bind is not mediated yet");
	if (rules->count > 0 && rules->rules[rules->count - 1].origin.line == rules->place.line) {
		warn(lint, rules->place,
			"the section has no default, which means deny ECONNREFUSED");
	}
}

static void lint_sockets(struct lint *lint)
{
	const struct policy_section_rules *rules = &lint->policy->sections[POLICY_SOCKETS];

	if (rules->count > 0 && rules->rules[rules->count - 1].origin.line == rules->place.line) {
		warn(lint, rules->place,
			"the section has no default, which means deny EAFNOSUPPORT");
	}
}

/* The kernel connects the unspecified address to loopback, and so it is when it is asked about. */
static void lint_unspecified(struct lint *lint)
{
	static const uint8_t zero[16];
	size_t count;
	const struct policy_rule *rules = policy_rules(lint->policy, POLICY_NETWORK, &count);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < rules[i].subject_count; k++) {
			const struct policy_subject *subject = &rules[i].subjects[k];
			const struct endpoint_subject *endpoint = &subject->endpoint;
			unsigned int bits = endpoint->family == AF_INET6 ? 128 : 32;

			if (!endpoint->any && !endpoint->pattern && endpoint->family != AF_UNSPEC &&
				endpoint->prefix == bits && !memcmp(endpoint->address, zero, 16)) {
				warn(lint, place_of(&rules[i], subject),
					"'%s' never matches: the kernel connects it to loopback, "
					"say %s",
					subject->text, bits == 32 ? "127.0.0.1" : "[::1]");
			}
		}
	}
}

int lint_policy(const struct policy *policy, struct policy_report *reports)
{
	struct lint lint = {policy, reports, false};

	for (unsigned int i = 0; i < POLICY_SECTIONS; i++) {
		if (policy->sections[i].present) {
			lint_covered(&lint, i);
			lint_all(&lint, i);
		}
	}
	if (policy->sections[POLICY_FILES].present) {
		lint_later(&lint);
	}
	if (policy->sections[POLICY_SOCKETS].present) {
		lint_sockets(&lint);
		lint_unreachable(&lint);
	}
	if (policy->sections[POLICY_NETWORK].present) {
		lint_network(&lint);
		lint_unspecified(&lint);
		if (unix_passes(policy)) {
			lint_launchers(&lint);
		}
	}
	return lint.no_memory ? -ENOMEM : 0;
}
