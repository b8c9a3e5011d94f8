/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What rules give instead of what was asked for.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/policy/model.h"
#include "daemon/policy/pattern.h"

static const struct endpoint_subject *replacement_of(const struct policy_verdict *verdict)
{
	if (verdict->action != POLICY_INJECT || verdict->rule->section != POLICY_NETWORK ||
		!verdict->subject) {
		return NULL;
	}
	return verdict->subject->endpoint.replacement;
}

bool policy_inject_endpoint(const struct policy_verdict *verdict, struct policy_endpoint *endpoint)
{
	const struct endpoint_subject *given = replacement_of(verdict);

	*endpoint = (struct policy_endpoint){.port = 0};
	if (!given) {
		return false;
	}
	endpoint->kind = given->kind;
	endpoint->family = given->pattern ? AF_UNIX : given->family;
	endpoint->port = given->port_first;
	memcpy(endpoint->address, given->address, sizeof(endpoint->address));
	if (given->pattern) {
		endpoint->path = pattern_literal(given->pattern);
		endpoint->path_length = strlen(endpoint->path);
	}
	return true;
}

const char *policy_inject_path(const struct policy_verdict *verdict)
{
	if (verdict->action != POLICY_INJECT || verdict->rule->section != POLICY_FILES ||
		!verdict->subject) {
		return NULL;
	}
	return verdict->subject->path.replacement;
}

const char *policy_inject_text(const struct policy_verdict *verdict)
{
	static const char arrow[] = " -> ";
	const char *found = replacement_of(verdict) ? strstr(verdict->subject->text, arrow) : NULL;

	return found ? found + strlen(arrow) : policy_inject_path(verdict);
}

const char *policy_inject_descriptor(const struct policy_verdict *verdict)
{
	const struct endpoint_subject *given = replacement_of(verdict);

	return given ? given->descriptor : NULL;
}

/* Walks the names that rules give; stops at the one that is wanted, or at the first like `name`. */
struct name_walk {
	const struct policy_section_rules *section;
	size_t rule, subject;
};

static const char *next_name(struct name_walk *walk)
{
	for (; walk->rule < walk->section->count; walk->rule++, walk->subject = 0) {
		const struct policy_rule *rule = &walk->section->rules[walk->rule];

		while (walk->subject < rule->subject_count) {
			const struct endpoint_subject *given =
				rule->subjects[walk->subject++].endpoint.replacement;
			if (given && given->descriptor) {
				return given->descriptor;
			}
		}
	}
	return NULL;
}

static bool is_first(const struct policy_section_rules *section, const char *name)
{
	struct name_walk walk = {.section = section};
	const char *other;

	do {
		other = next_name(&walk);
	} while (strcmp(other, name) != 0);
	return other == name;
}

const char *policy_descriptor_name(const struct policy *policy, size_t index)
{
	struct name_walk walk = {.section = &policy->sections[POLICY_NETWORK]};
	const char *name;

	while ((name = next_name(&walk))) {
		if (is_first(walk.section, name) && index-- == 0) {
			return name;
		}
	}
	return NULL;
}

int policy_descriptor_names(const struct policy *policy, struct string_pack *names)
{
	const char *name;
	int error = 0;

	*names = (struct string_pack){NULL, 0, 0};
	while (error == 0 && (name = policy_descriptor_name(policy, names->count))) {
		size_t size = strlen(name) + 1;
		char *to;

		error = names->count == WIRE_GIVEN_MAX
				? -E2BIG
				: string_pack_add(names, WIRE_GIVEN_SIZE_MAX, size, &to);
		if (error == 0) {
			memcpy(to, name, size);
		}
	}
	if (error < 0) {
		string_pack_finish(names);
	}
	return error;
}
