/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the client is told of the operations that are Landlock's is what the policy says: for any
 * policy and path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/grants.h"
#include "daemon/policy/mechanism.h"
#include "tests/unit/policy_text.h"
#include "usher/wire.h"

#define POLICIES 4000
#define PATHS    40

#define QUIET "[syscalls]\ndeny EPERM = @mount\n[files]\ndefault = quiet deny EACCES\n"

static const char *const words[] = {"a", "b", "c"};

/* Nothing of the C library's that others draw from: the seed says what was tried. */
static unsigned int draw(unsigned int bound)
{
	static unsigned int seed = 20240607;

	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % bound;
}

static void append_path(char *text)
{
	policy_text_append_random(text, words, array_length(words));
}

static void append_rule(char *text)
{
	static const char *const actions[] = {
		"allow", "allow", "quiet deny EACCES", "quiet deny", "deny", "audit allow"};
	static const char *const operations[] = {
		" read", " write", " create", " remove", " execute"};
	static const char *const ends[] = {"/**", "/**", "/**", "", "/*"};
	unsigned int chosen = 1 + draw(31), kind = draw(array_length(actions) * 4);
	const char *end = ends[draw(array_length(ends) - ((chosen & 16) ? 1 : 0))];

	strcat(text, actions[kind < array_length(actions) ? kind : draw(4)]);
	for (size_t i = 0; i < array_length(operations); i++) {
		strcat(text, (chosen & 1u << i) ? operations[i] : "");
	}
	strcat(text, " = ");
	size_t length = strlen(text);
	append_path(text);
	if (text[length + 1] == '\0' && *end) {
		text[length] = '\0'; /* the root */
	}
	strcat(text, end);
	strcat(text, "\n");
}

/* As the kernel does it: the rights of a place are those of all that it lies in. */
static bool is_granted(const struct string_pack *grants, unsigned int operation, const char *path)
{
	const char *text = grants->text;

	for (size_t i = 0; i < grants->count; i++, text += strlen(text) + 1) {
		const char *place = text + strspn(text, WIRE_GRANT_LETTERS);
		size_t length = strlen(place);
		bool is_tree = place[length - 1] == '/';

		if (!memchr(text, WIRE_GRANT_LETTERS[__builtin_ctz(operation)],
			    (size_t)(place - text))) {
			continue;
		}
		length -= is_tree;
		if (strncmp(path, place, length) == 0 &&
			(path[length] == '\0' || (is_tree && path[length] == '/'))) {
			return true;
		}
	}
	return false;
}

/* Creating and removing are judged by the directory in which it happens. */
static void judged_place(char *place, unsigned int operation, const char *path)
{
	strcpy(place, path);
	if (operation >= OPERATION_CREATE && place[1] != '\0') {
		char *slash = strrchr(place, '/');
		slash[slash == place ? 1 : 0] = '\0';
	}
}

static void compare(const struct policy *policy, const struct string_pack *grants,
	unsigned int operation, const char *path, const char *text)
{
	struct policy_verdict verdict = policy_decide_file(policy, operation, path);
	char place[200];

	judged_place(place, operation, path);
	bool granted = is_granted(grants, operation, place);
	/* The root of all is nothing that could be created or removed. */
	if (operation >= OPERATION_CREATE && path[1] == '\0') {
		return;
	}
	if (granted != (verdict.action == POLICY_ALLOW) || verdict.log ||
		(!granted && verdict.error != EACCES)) {
		print_error("%s%s %s\n", text, policy_operation_name(operation), path);
	}
	assert_int_equal(granted, verdict.action == POLICY_ALLOW);
	assert_false(verdict.log);
	assert_int_equal(verdict.error, granted ? 0 : EACCES);
}

static void grants_are_what_the_policy_says(void **state)
{
	unsigned int compared = 0, seen = 0;

	(void)state;
	for (unsigned int i = 0; i < POLICIES; i++) {
		char text[4000] = QUIET;
		struct mechanisms mechanisms;
		struct string_pack grants;

		for (unsigned int rules = 1 + draw(6); rules > 0; rules--) {
			append_rule(text);
		}
		cleanup_policy struct policy *policy = policy_text(text);
		mechanisms_choose(&mechanisms, policy);
		assert_int_equal(grants_make(&grants, policy, &mechanisms, mechanisms.landlock), 0);
		seen |= mechanisms.landlock;
		for (unsigned int k = 0; k < PATHS; k++) {
			char path[200] = "";

			append_path(path);
			for (unsigned int rest = mechanisms.landlock; rest; rest &= rest - 1) {
				compare(policy, &grants, rest & -rest, path, text);
				compared++;
			}
		}
		string_pack_finish(&grants);
	}
	assert_int_equal(seen, OPERATIONS_LANDLOCK);
	assert_true(compared > POLICIES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grants_are_what_the_policy_says),
	};

	policy_text_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
