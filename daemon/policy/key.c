/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a key are read from left to right, each against its table; a wrong one is complained
 * about where it stands, and the next are read all the same.
 */
#include "daemon/policy/key.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/model.h"
#include "daemon/policy/words.h"

/* The words that are left to read. */
struct reading {
	const struct token *token, *end;
	struct complaints *complaints;
	bool failed;
};

static const struct words no_operations = {NULL, 0};

static const struct words *operations_of(enum policy_section section)
{
	switch (section) {
	case POLICY_FILES:
		return &file_operation_words;
	case POLICY_NETWORK:
		return &network_operation_words;
	default:
		return &no_operations;
	}
}

static void fail(struct reading *reading, const struct token *token, const char *what,
	const struct nearest *nearest)
{
	char hint[NEAREST_HINT_MAX] = "";

	if (nearest) {
		nearest_hint(nearest, hint, sizeof(hint));
	}
	complain(reading->complaints, token->line, token->column, "%s '%.*s'%s", what,
		(int)token->length, token->text, hint);
	reading->failed = true;
}

static void fail_at(struct reading *reading, const struct token *token, const char *what)
{
	complain(reading->complaints, token->line, token->column, "%s", what);
	reading->failed = true;
}

static unsigned int read_modifiers(struct reading *reading)
{
	unsigned int modifiers = 0;

	while (reading->token < reading->end) {
		const struct word *word =
			word_find(&modifier_words, reading->token->text, reading->token->length);

		if (!word) {
			break;
		}
		modifiers |= (unsigned int)word->value;
		reading->token++;
	}
	return modifiers;
}

static int read_action(struct reading *reading, struct policy_rule *rule, bool is_default)
{
	const struct token *token = reading->token;
	const struct word *word;

	if (token == reading->end) {
		fail_at(reading, token - 1, "an action is missing: allow, deny, inject or kill");
		return -EINVAL;
	}
	word = word_find(&action_words, token->text, token->length);
	if (!word) {
		struct nearest nearest = NEAREST_TO(token->text, token->length);

		nearest_offer_words(&nearest, &action_words);
		nearest_offer_words(&nearest, &modifier_words);
		if (!is_default) {
			nearest_offer(&nearest, "default");
		}
		fail(reading, token, is_default ? "unknown action" : "unknown key or action",
			&nearest);
		return -EINVAL;
	}
	rule->action = (enum policy_action)word->value;
	reading->token++;
	return 0;
}

static void check_modifiers(
	struct reading *reading, const struct token *first, struct policy_rule *rule)
{
	if (rule->quiet && rule->action != POLICY_DENY) {
		fail_at(reading, first, "'quiet' stands before 'deny' only");
	}
	if (rule->audit && rule->action == POLICY_KILL) {
		fail_at(reading, first,
			"'audit' stands before allow, deny or inject; a kill is always logged");
	}
	if (rule->audit && rule->quiet) {
		fail_at(reading, first, "'audit' and 'quiet' contradict each other");
	}
}

/* Every errno's name begins so, and no other word of a key. */
static bool looks_like_errno(const struct token *token)
{
	return token->length > 1 && isupper((unsigned char)token->text[0]);
}

static void read_errno(struct reading *reading, struct policy_rule *rule)
{
	const struct token *token = reading->token;
	struct nearest nearest;
	cleanup_free char *name = NULL;

	if (token == reading->end || !looks_like_errno(token)) {
		return;
	}
	reading->token++;
	if (rule->action != POLICY_DENY) {
		fail_at(reading, token, "an errno stands behind 'deny' only");
		return;
	}
	name = strndup(token->text, token->length);
	if (!name) {
		reading->complaints->no_memory = true;
		return;
	}
	rule->error = policy_errno_value(name);
	if (rule->error == 0) {
		nearest = (struct nearest)NEAREST_TO(token->text, token->length);
		nearest_offer_errnos(&nearest);
		fail(reading, token, "unknown errno", &nearest);
	}
}

static void read_operation(
	struct reading *reading, struct policy_rule *rule, struct key_parts *parts)
{
	const struct token *token = reading->token;
	const struct words *words = operations_of(rule->section);
	const struct word *word = word_find(words, token->text, token->length);
	struct nearest nearest = NEAREST_TO(token->text, token->length);

	if (!word) {
		nearest_offer_words(&nearest, words);
		if (rule->action == POLICY_DENY && rule->error == 0 && !nearest.best) {
			nearest_offer_errnos(&nearest);
		}
		fail(reading, token, "unknown operation", &nearest);
		return;
	}
	if (rule->action == POLICY_INJECT && rule->section == POLICY_FILES &&
		((unsigned int)word->value & ~OPERATIONS_OPEN) != 0) {
		complain(reading->complaints, token->line, token->column,
			"'inject' puts another file into an open: it takes read, write and create, "
			"not '%s'",
			word->name);
		reading->failed = true;
	}
	if (rule->action == POLICY_KILL && word->value == OPERATION_EXECUTE) {
		fail_at(reading, token,
			"'execute' is enforced by Landlock, which can allow and deny, not kill");
	}
	if (token_is(token, "all")) {
		parts->all = token;
	} else {
		rule->named |= (unsigned int)word->value;
	}
	rule->operations |= (unsigned int)word->value;
}

static void read_operations(struct reading *reading, struct policy_rule *rule,
	struct key_parts *parts, const struct token *last)
{
	bool wanted = operations_of(rule->section)->count != 0 && !parts->is_default;

	if (wanted && reading->token == reading->end) {
		fail_at(reading, last,
			rule->section == POLICY_FILES
				? "which operation? read, write, create, remove, metadata, "
				  "execute, stat or all"
				: "which operation? connect, bind or all");
	}
	for (; reading->token < reading->end; reading->token++) {
		if (wanted) {
			read_operation(reading, rule, parts);
		} else {
			fail(reading, reading->token,
				parts->is_default ? "a default speaks of all operations, not of"
						  : "this section has no operations: unknown",
				NULL);
		}
	}
}

int key_parse(struct policy_rule *rule, struct key_parts *parts, const struct token *tokens,
	size_t count, struct complaints *complaints)
{
	struct reading reading = {tokens, tokens + count, complaints, false};
	unsigned int modifiers = read_modifiers(&reading);

	rule->audit = (modifiers & MODIFIER_AUDIT) != 0;
	rule->quiet = (modifiers & MODIFIER_QUIET) != 0;
	if (read_action(&reading, rule, parts->is_default) < 0) {
		return -EINVAL;
	}
	check_modifiers(&reading, tokens, rule);
	read_errno(&reading, rule);
	read_operations(&reading, rule, parts, tokens + count - 1);
	if (rule->action == POLICY_DENY && rule->error == 0) {
		rule->error_is_implied = true;
		rule->error = policy_default_errno(
			rule->section, parts->is_default ? OPERATIONS_NETWORK : rule->operations);
	}
	return reading.failed ? -EINVAL : 0;
}
