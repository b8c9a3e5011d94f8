/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in variables are a table against struct policy_variables; a name that is in the table
 * is never taken from a set, whether it has a value or not.
 */
#include "daemon/policy/variables.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/words.h"

static const struct {
	const char *name;
	size_t offset; /* in struct policy_variables */
} builtins[] = {
	{"HOME", offsetof(struct policy_variables, home)},
	{"USER", offsetof(struct policy_variables, user)},
	{"UID", offsetof(struct policy_variables, uid)},
	{"CWD", offsetof(struct policy_variables, cwd)},
	{"TMPDIR", offsetof(struct policy_variables, tmpdir)},
	{"XDG_RUNTIME_DIR", offsetof(struct policy_variables, xdg_runtime_dir)},
};

const char *variables_builtin(size_t index)
{
	return index < array_length(builtins) ? builtins[index].name : NULL;
}

static bool is_builtin(const char *name, size_t length)
{
	for (size_t i = 0; i < array_length(builtins); i++) {
		if (strlen(builtins[i].name) == length && !memcmp(builtins[i].name, name, length)) {
			return true;
		}
	}
	return false;
}

/* How many bytes at `text` are a name. */
static size_t name_length(const char *text, size_t length)
{
	size_t n = 0;

	while (n < length && (isalpha((unsigned char)text[n]) || text[n] == '_' ||
				     (n > 0 && isdigit((unsigned char)text[n])))) {
		n++;
	}
	return n;
}

static struct variable *find(const struct variables *variables, const char *name, size_t length)
{
	for (size_t i = 0; i < variables->count; i++) {
		struct variable *variable = &variables->items[i];

		if (!strncmp(variable->name, name, length) && variable->name[length] == '\0') {
			return variable;
		}
	}
	return NULL;
}

int variables_add(struct variables *variables, const char *name, const char *value)
{
	struct variable *variable = find(variables, name, strlen(name));
	cleanup_free char *copy = strdup(value);
	cleanup_free char *name_copy = NULL;

	if (!copy) {
		return -ENOMEM;
	}
	if (variable) {
		free(variable->value);
		variable->value = steal_pointer(&copy);
		return 0;
	}
	name_copy = strdup(name);
	variable = reallocarray(variables->items, variables->count + 1, sizeof(*variable));
	if (variable) {
		variables->items = variable;
	}
	if (!variable || !name_copy) {
		return -ENOMEM;
	}
	variable = &variables->items[variables->count++];
	variable->name = steal_pointer(&name_copy);
	variable->value = steal_pointer(&copy);
	return 0;
}

int variables_copy(struct variables *variables, const struct variables *from)
{
	int r = 0;

	for (size_t i = 0; i < from->count && r == 0; i++) {
		r = variables_add(variables, from->items[i].name, from->items[i].value);
	}
	return r;
}

static int add_set(struct variables *variables, const char *set, struct mistake *mistake)
{
	const char *equals = strchrnul(set, '=');
	size_t length = (size_t)(equals - set);
	cleanup_free char *name = NULL;

	if (*equals == '\0' || length == 0 || name_length(set, length) != length) {
		return mistake_set(mistake, 0, "'%.80s' does not set a variable: NAME=VALUE", set);
	}
	if (is_builtin(set, length)) {
		return mistake_set(
			mistake, 0, "%.*s cannot be set: its value is known", (int)length, set);
	}
	name = strndup(set, length);
	return name ? variables_add(variables, name, equals + 1) : -ENOMEM;
}

static int add_defaults(struct variables *variables, const struct policy_variables *values)
{
	char runtime_directory[64];
	int r = 0;

	if (!values->tmpdir || *values->tmpdir == '\0') {
		r = variables_add(variables, "TMPDIR", "/tmp");
	}
	if (r == 0 && values->uid && (!values->xdg_runtime_dir || !*values->xdg_runtime_dir)) {
		snprintf(runtime_directory, sizeof(runtime_directory), "/run/user/%s", values->uid);
		r = variables_add(variables, "XDG_RUNTIME_DIR", runtime_directory);
	}
	return r;
}

int variables_init(
	struct variables *variables, const struct policy_variables *values, struct mistake *mistake)
{
	int r = 0;

	memset(variables, 0, sizeof(*variables));
	for (size_t i = 0; r == 0 && i < array_length(builtins); i++) {
		const char *value =
			*(const char *const *)((const char *)values + builtins[i].offset);

		r = value ? variables_add(variables, builtins[i].name, value) : 0;
	}
	r = r < 0 ? r : add_defaults(variables, values);
	for (size_t i = 0; r == 0 && i < values->set_count; i++) {
		r = add_set(variables, values->sets[i], mistake);
	}
	if (r < 0) {
		variables_finish(variables);
	}
	return r;
}

void variables_finish(struct variables *variables)
{
	for (size_t i = 0; i < variables->count; i++) {
		free(variables->items[i].name);
		free(variables->items[i].value);
	}
	free(variables->items);
	memset(variables, 0, sizeof(*variables));
}

/* Room for `more` bytes and the NUL. */
static int expansion_reserve(struct expansion *expansion, size_t more)
{
	size_t capacity = expansion->length + more + 1;
	char *text;
	bool *literal;
	size_t *origins;

	if (capacity <= expansion->capacity) {
		return 0;
	}
	capacity *= 2;
	text = realloc(expansion->text, capacity);
	expansion->text = text ? text : expansion->text;
	literal = reallocarray(expansion->literal, capacity, sizeof(*literal));
	expansion->literal = literal ? literal : expansion->literal;
	origins = reallocarray(expansion->origins, capacity, sizeof(*origins));
	expansion->origins = origins ? origins : expansion->origins;
	if (!text || !literal || !origins) {
		return -ENOMEM;
	}
	expansion->capacity = capacity;
	return 0;
}

/* Finds the variable at text[offset], which is "${", and its end behind the '}'. */
static int read_reference(const struct variables *variables, const char *text, size_t length,
	size_t offset, size_t *endp, const char **valuep, struct mistake *mistake)
{
	const char *name = text + offset + 2;
	size_t n = name_length(name, length - offset - 2);
	struct nearest nearest = NEAREST_TO(name, n);
	const struct variable *variable;
	char hint[NEAREST_HINT_MAX];

	if (n == 0 || offset + 2 + n >= length || name[n] != '}') {
		return mistake_set(mistake, offset, "a variable is written ${NAME}");
	}
	variable = find(variables, name, n);
	*endp = offset + 2 + n + 1;
	if (variable && *variable->value == '\0') {
		return mistake_set(mistake, offset, "the variable %.*s is empty", (int)n, name);
	}
	if (variable) {
		*valuep = variable->value;
		return 0;
	}
	if (is_builtin(name, n)) {
		return mistake_set(
			mistake, offset, "the variable %.*s has no value here", (int)n, name);
	}
	if (variables->any_sets) {
		return -ENOKEY;
	}
	for (size_t i = 0; i < array_length(builtins); i++) {
		nearest_offer(&nearest, builtins[i].name);
	}
	for (size_t i = 0; i < variables->count; i++) {
		nearest_offer(&nearest, variables->items[i].name);
	}
	return mistake_set(mistake, offset, "unknown variable '%.*s'%s%s", (int)(n < 60 ? n : 60),
		name, nearest_hint(&nearest, hint, sizeof(hint)),
		nearest.best ? "" : "; give it with --set");
}

/*
 * A value's slashes at its end are left out where the text ends or goes on with one: with CWD=/ the
 * pattern ${CWD}/x is /x, with TMPDIR=/tmp/ the pattern ${TMPDIR} is /tmp.
 */
static size_t value_length(const char *value, const char *text, size_t length, size_t end)
{
	size_t n = strlen(value), least = end < length ? 0 : 1;

	while ((end == length || text[end] == '/') && n > least && value[n - 1] == '/') {
		n--;
	}
	return n;
}

/* Appends `length` bytes that came from `origin`: a value's, or one of the text itself. */
static int expansion_put(
	struct expansion *expansion, const char *text, size_t length, bool literal, size_t origin)
{
	int r = expansion_reserve(expansion, length);

	for (size_t i = 0; r == 0 && i < length; i++) {
		expansion->text[expansion->length] = text[i];
		expansion->literal[expansion->length] = literal;
		expansion->origins[expansion->length] = origin;
		expansion->length++;
	}
	return r;
}

int variables_expand(const struct variables *variables, const char *text, size_t length,
	struct expansion *expansion, struct mistake *mistake)
{
	int r = 0;

	expansion->length = 0;
	for (size_t i = 0, end; r == 0 && i < length; i = end) {
		const char *value = "";

		end = i + 1;
		if (text[i] != '$' || end == length || text[end] != '{') {
			r = expansion_put(expansion, text + i, 1, false, i);
			continue;
		}
		r = read_reference(variables, text, length, i, &end, &value, mistake);
		if (r == 0) {
			r = expansion_put(
				expansion, value, value_length(value, text, length, end), true, i);
		}
	}
	r = r < 0 ? r : expansion_reserve(expansion, 0);
	if (r == 0) {
		expansion->text[expansion->length] = '\0';
		expansion->origins[expansion->length] = length;
	}
	return r;
}

void expansion_finish(struct expansion *expansion)
{
	free(expansion->text);
	free(expansion->literal);
	free(expansion->origins);
	memset(expansion, 0, sizeof(*expansion));
}
