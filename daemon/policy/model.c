/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy's memory: who owns what, and the defaults of the sections. A section that is present
 * without `default` denies, since who lists what is allowed means that the rest is not; but
 * [syscalls] allows, since no program lives without the calls that nobody thinks of.
 */
#include "daemon/policy/model.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/address.h"
#include "daemon/policy/execute.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/syscall_subject.h"

static const struct {
	enum policy_action action; /* of the section without `default` */
	int error;                 /* of `deny` alone */
	const char *text;
} section_defaults[] = {
	[POLICY_FILES] = {POLICY_DENY, EACCES, "default = deny EACCES (the section has none)"},
	[POLICY_NETWORK] = {POLICY_DENY, ECONNREFUSED, "default = deny (the section has none)"},
	[POLICY_SOCKETS] = {POLICY_DENY, EAFNOSUPPORT,
		"default = deny EAFNOSUPPORT (the section has none)"},
	[POLICY_SYSCALLS] = {POLICY_ALLOW, EPERM, "default = allow (the section has none)"},
};
static_assert(array_length(section_defaults) == POLICY_SECTIONS, "every section has a default");

static const char *const absent_texts[] = {
	[POLICY_FILES] = "(no [files] section: files are not mediated)",
	[POLICY_NETWORK] = "(no [network] section: addresses are not mediated)",
	[POLICY_SOCKETS] = "(no [sockets] section: sockets are not mediated)",
	[POLICY_SYSCALLS] = "(no [syscalls] section: system calls are not restricted)",
};
static_assert(array_length(absent_texts) == POLICY_SECTIONS, "every section has a text");

static const char unspoken_text[] =
	"(the default speaks of metadata, execute and stat only where a rule names them)";

static const unsigned int section_operations[POLICY_SECTIONS] = {
	[POLICY_FILES] = OPERATIONS_FILES,
	[POLICY_NETWORK] = OPERATIONS_NETWORK,
};

int policy_default_errno(enum policy_section section, unsigned int operations)
{
	if (section == POLICY_NETWORK && (operations & OPERATION_CONNECT) == 0) {
		return EACCES;
	}
	return section_defaults[section].error;
}

/* A rule that stands in no file. */
static struct policy_rule implicit_allow(
	enum policy_section section, unsigned int operations, const char *text)
{
	return (struct policy_rule){
		.section = section,
		.action = POLICY_ALLOW,
		.operations = operations,
		.is_default = true,
		.origin = {.file = "", .text = text},
	};
}

struct policy *policy_new(void)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	for (unsigned int i = 0; policy && i < POLICY_SECTIONS; i++) {
		policy->sections[i].absent =
			implicit_allow(i, section_operations[i], absent_texts[i]);
	}
	return policy;
}

int policy_add_file(struct policy *policy, char *name, char *text, size_t size)
{
	struct policy_file *files =
		reallocarray(policy->files, policy->file_count + 1, sizeof(*files));

	if (!files) {
		free(name);
		free(text);
		return -ENOMEM;
	}
	policy->files = files;
	files[policy->file_count] = (struct policy_file){name, text, size};
	return (int)policy->file_count++;
}

int policy_add_service(
	struct policy *policy, const char *name, const char *protocol, unsigned int port)
{
	cleanup_free char *name_copy = strdup(name);
	cleanup_free char *protocol_copy = strdup(protocol);
	struct policy_service *services =
		reallocarray(policy->services, policy->service_count + 1, sizeof(*services));

	if (services) {
		policy->services = services;
	}
	if (!services || !name_copy || !protocol_copy) {
		return -ENOMEM;
	}
	services[policy->service_count].name = steal_pointer(&name_copy);
	services[policy->service_count].protocol = steal_pointer(&protocol_copy);
	services[policy->service_count].port = port;
	policy->service_count++;
	return 0;
}

int policy_add_rule(struct policy *policy, struct policy_rule *rule)
{
	struct policy_section_rules *section = &policy->sections[rule->section];

	if (section->count == section->capacity) {
		size_t capacity = section->capacity != 0 ? 2 * section->capacity : 16;
		struct policy_rule *rules = reallocarray(section->rules, capacity, sizeof(*rules));

		if (!rules) {
			return -ENOMEM;
		}
		section->rules = rules;
		section->capacity = capacity;
	}
	section->named |= rule->named;
	section->rules[section->count++] = *rule;
	memset(rule, 0, sizeof(*rule));
	return 0;
}

/* The default of a section that has none. */
static int make_fallback(
	const struct policy *policy, enum policy_section index, struct policy_rule *rule)
{
	const struct policy_section_rules *section = &policy->sections[index];
	char *text = strdup(section_defaults[index].text);

	if (!text) {
		return -ENOMEM;
	}
	*rule = (struct policy_rule){
		.section = index,
		.action = section_defaults[index].action,
		.error = section_defaults[index].action == POLICY_DENY
				 ? section_defaults[index].error
				 : 0,
		.error_is_implied = section_defaults[index].action == POLICY_DENY,
		.operations = section_operations[index],
		.is_default = true,
		.origin = {section->place.file, section->place.line, section->place.column, text},
	};
	return 0;
}

/* A place for each subject of a section, in order. 0 or -ENOMEM. */
static int make_choices(
	const struct policy_section_rules *section, struct policy_choice **choicesp, size_t *countp)
{
	struct policy_choice *choices;
	size_t count = 0;

	for (size_t i = 0; i < section->count; i++) {
		count += section->rules[i].subject_count;
	}
	choices = calloc(count + 1, sizeof(*choices));
	if (!choices) {
		return -ENOMEM;
	}
	*choicesp = choices;
	*countp = count;
	for (size_t i = 0; i < section->count; i++) {
		const struct policy_rule *rule = &section->rules[i];

		for (size_t k = 0; k < rule->subject_count; k++) {
			*choices++ =
				(struct policy_choice){rule, &rule->subjects[k], rule->operations};
		}
	}
	return 0;
}

static int index_paths(struct policy *policy)
{
	int r = make_choices(&policy->sections[POLICY_FILES], &policy->paths, &policy->path_count);

	policy->path_index = r == 0 ? pattern_index_new(policy->path_count) : NULL;
	if (!policy->path_index) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < policy->path_count; i++) {
		const struct pattern *pattern = policy->paths[i].subject->path.pattern;

		if (!execute_pattern_is_enforceable(pattern)) {
			policy->paths[i].operations &= ~(unsigned int)OPERATION_EXECUTE;
		}
		pattern_index_add(policy->path_index, i, pattern);
	}
	return 0;
}

static int index_endpoints(struct policy *policy)
{
	int r = make_choices(
		&policy->sections[POLICY_NETWORK], &policy->endpoints, &policy->endpoint_count);

	policy->endpoint_index = r == 0 ? endpoint_index_new(policy->endpoint_count) : NULL;
	if (!policy->endpoint_index) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < policy->endpoint_count; i++) {
		endpoint_index_add(
			policy->endpoint_index, i, &policy->endpoints[i].subject->endpoint);
	}
	return 0;
}

/* All rules are there and stay where they are. */
static int make_index(struct policy *policy)
{
	int r = index_paths(policy);

	return r < 0 ? r : index_endpoints(policy);
}

/* Where no rule says `execute`, `all` leaves it out, and no Landlock layer is needed. */
static void leave_execute_out(struct policy_section_rules *files)
{
	for (size_t i = 0; (files->named & OPERATION_EXECUTE) == 0 && i < files->count; i++) {
		files->rules[i].operations &= ~(unsigned int)OPERATION_EXECUTE;
	}
}

/* Of what the section's default speaks; the rest is left to `unspoken`. */
static unsigned int default_operations(struct policy *policy, enum policy_section index)
{
	struct policy_section_rules *section = &policy->sections[index];
	unsigned int unspoken = OPERATIONS_WHEN_NAMED & ~section->named;

	section->unspoken =
		implicit_allow(index, section_operations[index] & unspoken, unspoken_text);
	return section_operations[index] & ~unspoken;
}

static bool has_host(const struct policy_section_rules *network)
{
	for (size_t i = 0; i < network->count; i++) {
		for (size_t k = 0; k < network->rules[i].subject_count; k++) {
			if (network->rules[i].subjects[k].endpoint.host) {
				return true;
			}
		}
	}
	return false;
}

int policy_seal(struct policy *policy)
{
	for (unsigned int i = 0; i < POLICY_SECTIONS; i++) {
		struct policy_section_rules *section = &policy->sections[i];
		struct policy_rule rule = section->fallback;
		int r;

		if (!section->present) {
			continue;
		}
		r = section->has_fallback ? 0 : make_fallback(policy, i, &rule);
		memset(&section->fallback, 0, sizeof(section->fallback));
		rule.operations = default_operations(policy, i);
		r = r < 0 ? r : policy_add_rule(policy, &rule);
		if (r < 0) {
			policy_rule_finish(&rule);
			return r;
		}
	}
	leave_execute_out(&policy->sections[POLICY_FILES]);
	policy->names_hosts = policy_mediates_endpoint(policy, OPERATION_CONNECT) &&
			      has_host(&policy->sections[POLICY_NETWORK]);
	return make_index(policy);
}

static void subject_finish(enum policy_section section, struct policy_subject *subject)
{
	free(subject->text);
	switch (section) {
	case POLICY_FILES:
		pattern_free(subject->path.pattern);
		free(subject->path.replacement);
		break;
	case POLICY_NETWORK:
		endpoint_subject_finish(&subject->endpoint);
		break;
	case POLICY_SYSCALLS:
		syscall_subject_finish(&subject->syscall);
		break;
	default:
		break;
	}
	memset(subject, 0, sizeof(*subject));
}

void policy_rule_finish(struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->subject_count; i++) {
		subject_finish(rule->section, &rule->subjects[i]);
	}
	free(rule->subjects);
	free((char *)rule->origin.text);
	memset(rule, 0, sizeof(*rule));
}

void policy_free(struct policy *policy)
{
	if (!policy) {
		return;
	}
	for (size_t i = 0; i < POLICY_SECTIONS; i++) {
		struct policy_section_rules *section = &policy->sections[i];

		for (size_t k = 0; k < section->count; k++) {
			policy_rule_finish(&section->rules[k]);
		}
		policy_rule_finish(&section->fallback);
		free(section->rules);
	}
	for (size_t i = 0; i < policy->file_count; i++) {
		free(policy->files[i].name);
		free(policy->files[i].text);
	}
	for (size_t i = 0; i < policy->service_count; i++) {
		free(policy->services[i].name);
		free(policy->services[i].protocol);
	}
	variables_finish(&policy->variables);
	pattern_index_free(policy->path_index);
	free(policy->paths);
	endpoint_index_free(policy->endpoint_index);
	free(policy->endpoints);
	free(policy->services);
	free(policy->files);
	free(policy->description);
	free(policy);
}

const char *policy_description(const struct policy *policy)
{
	return policy->description ? policy->description : "";
}

bool policy_follows(const struct policy *policy)
{
	return policy->follows;
}

bool policy_is_same(const struct policy *policy, const struct policy *other)
{
	bool same = policy->file_count == other->file_count;

	for (size_t i = 0; same && i < policy->file_count; i++) {
		const struct policy_file *a = &policy->files[i], *b = &other->files[i];
		same = strcmp(a->name, b->name) == 0 && a->size == b->size &&
		       memcmp(a->text, b->text, a->size) == 0;
	}
	return same;
}

bool policy_has_section(const struct policy *policy, enum policy_section section)
{
	return policy->sections[section].present;
}

const struct policy_rule *policy_rules(
	const struct policy *policy, enum policy_section section, size_t *countp)
{
	*countp = policy->sections[section].count;
	return policy->sections[section].rules;
}
