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
#include "daemon/policy/lint_cover.h"
#include "daemon/policy/lint_execute.h"
#include "daemon/policy/lint_names.h"
#include "daemon/policy/lint_resolve.h"
#include "daemon/policy/lint_tables.h"
#include "daemon/policy/lint_warn.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/reach.h"
#include "daemon/policy/socket_subject.h"
#include "daemon/policy/words.h"

/* ---- rules that never match ---- */

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
					: lint_find_cover(lint->policy, rules, i, subject);

			if (cover) {
				lint_warn(lint, lint_place_of(&rules[i], subject),
					"'%s' never matches: the rule at %s:%u is tried before and "
					"covers it",
					subject->text, cover->origin.file, cover->origin.line);
			}
		}
	}
}

/* ---- rules outside of what [sockets] lets through ---- */

static bool endpoint_passes(const struct policy *policy, const struct endpoint_subject *endpoint)
{
	if (endpoint->any) {
		return true;
	}
	return endpoint->pattern ? reach_unix(policy)
				 : reach_internet(policy, endpoint->family, endpoint->kind);
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
				lint_warn(lint, lint_place_of(&rules[i], subject),
					"'%s' is never reached: [sockets] lets no such socket "
					"through",
					subject->text);
			}
		}
	}
}

/* ---- rules on names that are never seen ---- */

/* What the policy says of a path that a subject of this rule was perhaps meant for. */
static struct policy_verdict ask_path(
	const struct policy *policy, const struct policy_rule *rule, const char *path)
{
	struct policy_endpoint endpoint = {.kind = ENDPOINT_UNIX_PATH, .path = path};

	return rule->section == POLICY_FILES
		       ? policy_decide_file(policy, rule->operations & -rule->operations, path)
		       : policy_decide_endpoint(policy, OPERATION_CONNECT, &endpoint);
}

static void lint_link(struct lint *lint, const struct policy_rule *rule,
	const struct policy_subject *subject, const struct pattern *pattern)
{
	size_t length;
	const char *prefix = pattern_prefix(pattern, &length);
	cleanup_free char *resolved = lint_resolve(prefix, length);

	if (resolved && ask_path(lint->policy, rule, resolved).action != rule->action) {
		lint_warn(lint, lint_place_of(rule, subject),
			"'%s' never matches: %.*s is a name for %s, and rules are about the "
			"resolved path",
			subject->text, (int)length, prefix, resolved);
	}
}

/*
 * A denial of /var/run/x protects nothing where /var/run is a link. Permissions are left alone:
 * they name all places where things may be on other systems.
 */
static void lint_links(struct lint *lint, enum policy_section section)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(lint->policy, section, &count);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; rules[i].action != POLICY_ALLOW && k < rules[i].subject_count;
			k++) {
			const struct policy_subject *subject = &rules[i].subjects[k];
			const struct pattern *pattern = section == POLICY_FILES
								? subject->path.pattern
								: subject->endpoint.pattern;

			if (pattern && (section == POLICY_FILES ||
					       subject->endpoint.kind == ENDPOINT_UNIX_PATH)) {
				lint_link(lint, &rules[i], subject, pattern);
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
		lint_warn(lint, lint_place_of(verdict.rule, verdict.subject),
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
			lint_warn(lint, lint_place_of(verdict.rule, verdict.subject),
				"this allows writing to %s (%s), which run later and unconfined",
				known->what, path);
		}
	}
	expansion_finish(&expansion);
}

/* ---- what is left unsaid ---- */

static void lint_all(struct lint *lint, enum policy_section section)
{
	const struct policy_section_rules *rules = &lint->policy->sections[section];

	if (section == POLICY_FILES && rules->first_all.file &&
		(rules->named & OPERATION_EXECUTE) == 0) {
		lint_warn(lint, rules->first_all,
			"'all' leaves out execute, since no rule says 'execute': what may be "
			"executed is restricted only where one does");
	}
}

static void lint_network(struct lint *lint)
{
	const struct policy_section_rules *rules = &lint->policy->sections[POLICY_NETWORK];

	if (rules->count > 0 && rules->rules[rules->count - 1].origin.line == rules->place.line) {
		lint_warn(lint, rules->place,
			"the section has no default, which means deny: ECONNREFUSED for connect, "
			"EACCES for bind");
	}
}

/* Addresses alone are judged: files are the kernel's, which lets a user into his own processes. */
static void lint_memory(struct lint *lint)
{
	lint_warn(lint, lint->policy->sections[POLICY_NETWORK].place,
		"without [files] the memory of the user's other processes stays open to the "
		"program, and by it all that they may connect to; say there: deny EACCES read "
		"write = /proc/[1-9]*/mem, and default = allow");
}

/* Who writes packets writes their addresses: no rule about addresses sees them. */
static void lint_raw(struct lint *lint)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(lint->policy, POLICY_SOCKETS, &count);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; rules[i].action == POLICY_ALLOW && k < rules[i].subject_count;
			k++) {
			const struct policy_subject *subject = &rules[i].subjects[k];
			const struct socket_subject *socket = &subject->socket;
			bool internet = socket->family == AF_INET || socket->family == AF_INET6;

			if (socket->family == AF_PACKET || (internet && socket->type == SOCK_RAW)) {
				lint_warn(lint, lint_place_of(&rules[i], subject),
					"what is sent by '%s' is not judged by [network]: the "
					"program writes the addresses itself",
					subject->text);
			}
		}
	}
}

static void lint_sockets(struct lint *lint)
{
	const struct policy_section_rules *rules = &lint->policy->sections[POLICY_SOCKETS];

	if (rules->count > 0 && rules->rules[rules->count - 1].origin.line == rules->place.line) {
		lint_warn(lint, rules->place,
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

			if (!(rules[i].operations & OPERATION_BIND) && !endpoint->any &&
				!endpoint->pattern && endpoint->family != AF_UNSPEC &&
				endpoint->prefix == bits && !memcmp(endpoint->address, zero, 16)) {
				lint_warn(lint, lint_place_of(&rules[i], subject),
					"'%s' never matches: the kernel connects it to loopback, "
					"say %s",
					subject->text, bits == 32 ? "127.0.0.1" : "[::1]");
			}
		}
	}
}

/* Unlike the broker, the kernel keeps no log of what it answers. */
static void lint_unlogged(struct lint *lint)
{
	const struct policy_section_rules *rules = &lint->policy->sections[POLICY_SYSCALLS];

	for (size_t i = 0; i < rules->count; i++) {
		if (rules->rules[i].audit) {
			lint_warn(lint, lint_place_of(&rules->rules[i], NULL),
				"'audit' has no effect on system calls: the kernel decides on them "
				"and tells nobody");
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
		lint_execute(&lint);
		lint_links(&lint, POLICY_FILES);
	}
	if (policy->sections[POLICY_SOCKETS].present) {
		lint_sockets(&lint);
		lint_unreachable(&lint);
		if (policy->sections[POLICY_NETWORK].present) {
			lint_raw(&lint);
		}
	}
	if (policy->sections[POLICY_NETWORK].present) {
		if (!policy->sections[POLICY_FILES].present) {
			lint_memory(&lint);
		}
		lint_network(&lint);
		lint_unspecified(&lint);
		lint_names(&lint);
		lint_links(&lint, POLICY_NETWORK);
		if (reach_unix(policy)) {
			lint_launchers(&lint);
		}
	}
	lint_unlogged(&lint);
	return lint.no_memory ? -ENOMEM : 0;
}
