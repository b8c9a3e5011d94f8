/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What rules give instead of what was asked for.
 */
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
