/* SPDX-License-Identifier: Apache-2.0 */
#include "client/landlock_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/policy/pattern.h"
#include "daemon/policy/pattern_wire.h"

static int read_rule(struct landlock_rule *rule, const char *text, const char *signs)
{
	if (text[0] == '\0' || !strchr(signs, text[0])) {
		return -EPROTO;
	}
	rule->sign = text[0];
	int error = pattern_wire_read(&rule->pattern, text + 1);
	return error == -EINVAL ? -EPROTO : error;
}

/* The strings' NULs are counted by wire_check. */
int landlock_rule_list_read(
	struct landlock_rule_list *rules, const struct string_pack *strings, const char *signs)
{
	const char *text = strings->text, *end = strings->text + strings->size;
	int error = 0;

	*rules = (struct landlock_rule_list){calloc(strings->count + 1, sizeof(*rules->rules)), 0};
	if (!rules->rules) {
		return -ENOMEM;
	}
	while (error == 0 && rules->count < strings->count) {
		error = text < end ? read_rule(&rules->rules[rules->count], text, signs) : -EPROTO;
		if (error == 0) {
			rules->count++;
			text += strlen(text) + 1;
		}
	}
	if (error == 0 && text != end) {
		error = -EPROTO;
	}
	if (error < 0) {
		landlock_rule_list_finish(rules);
	}
	return error;
}

void landlock_rule_list_finish(struct landlock_rule_list *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		pattern_free(rules->rules[i].pattern);
	}
	free(rules->rules);
	*rules = (struct landlock_rule_list){NULL, 0};
}

const struct landlock_rule *landlock_rule_list_find(
	const struct landlock_rule_list *rules, const char *path, size_t length)
{
	for (size_t i = 0; i < rules->count; i++) {
		if (pattern_matches(rules->rules[i].pattern, path, length)) {
			return &rules->rules[i];
		}
	}
	return NULL;
}
