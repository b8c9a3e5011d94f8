/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser of one subject of [syscalls]:
 *
 *   subject     NAME | @GROUP | NAME ( comparison , ... )
 *   comparison  argN OPERATOR value | argN & value == value
 *   value       term | term ...
 *   term        NUMBER | - NUMBER | CONSTANT
 *
 * A comparison that could not mean what it says (of what a pointer points to, of bits that the
 * kernel does not look at, with an argument that the call has not) is a mistake.
 */
#include "daemon/policy/syscall_subject.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/syscall_arguments.h"
#include "daemon/policy/syscall_constants.h"
#include "daemon/policy/syscall_groups.h"
#include "daemon/policy/syscall_names.h"
#include "daemon/policy/words.h"

struct cursor {
	const char *text;
	size_t at;
	struct syscall_subject *subject;
	struct syscall_parse_error *error;
};

__attribute__((format(printf, 3, 4))) static int fail(
	struct cursor *cursor, size_t offset, const char *format, ...)
{
	va_list arguments;

	cursor->error->offset = offset;
	va_start(arguments, format);
	vsnprintf(cursor->error->text, sizeof(cursor->error->text), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static void skip_blanks(struct cursor *cursor)
{
	while (isspace((unsigned char)cursor->text[cursor->at])) {
		cursor->at++;
	}
}

/* The length of the word at the cursor. */
static size_t word_length(const struct cursor *cursor)
{
	size_t length = 0;

	while (is_word(cursor->text[cursor->at + length])) {
		length++;
	}
	return length;
}

static bool take(struct cursor *cursor, const char *token)
{
	skip_blanks(cursor);
	if (strncmp(cursor->text + cursor->at, token, strlen(token)) != 0) {
		return false;
	}
	cursor->at += strlen(token);
	return true;
}

/* What stands at the cursor, for a message: a word, a character or the end. */
static const char *found(const struct cursor *cursor, char *text, size_t size)
{
	size_t length = word_length(cursor);

	if (!cursor->text[cursor->at]) {
		return "the end";
	}
	snprintf(text, size, "'%.*s'", (int)(length ? length : 1), cursor->text + cursor->at);
	return text;
}
#define FOUND_MAX 40

static int fail_expected(struct cursor *cursor, const char *expected)
{
	char text[FOUND_MAX];

	skip_blanks(cursor);
	return fail(cursor, cursor->at, "expected %s, found %s", expected,
		found(cursor, text, sizeof(text)));
}

static int parse_group(struct cursor *cursor, const char *name)
{
	struct syscall_subject *subject = cursor->subject;
	struct nearest nearest = NEAREST_TO(name, strlen(name));
	char hint[NEAREST_HINT_MAX];
	int error = syscall_group_numbers(name, &subject->numbers, &subject->number_count);

	if (error != -ENOENT) {
		return error;
	}
	syscall_groups_offer(&nearest);
	return fail(cursor, 0, "unknown group of system calls '%s'%s", name,
		nearest_hint(&nearest, hint, sizeof(hint)));
}

static int parse_call(struct cursor *cursor, const char *name)
{
	struct nearest nearest = NEAREST_TO(name, strlen(name));
	char hint[NEAREST_HINT_MAX];
	int nr = syscall_number(name);

	if (nr != SYSCALL_UNKNOWN) {
		cursor->subject->numbers = malloc(sizeof(nr));
		if (!cursor->subject->numbers) {
			return -ENOMEM;
		}
		cursor->subject->numbers[0] = nr;
		cursor->subject->number_count = 1;
		return 0;
	}
	syscall_groups_offer_calls(&nearest);
	return fail(cursor, 0, "unknown system call '%s'%s", name,
		nearest_hint(&nearest, hint, sizeof(hint)));
}

/* NAME or @GROUP; groups have names with a hyphen. */
static int parse_name(struct cursor *cursor)
{
	bool is_group = cursor->text[0] == '@';
	size_t length = is_group;
	char *name;

	while (is_word(cursor->text[length]) || (is_group && cursor->text[length] == '-')) {
		length++;
	}
	if (length == is_group) {
		cursor->at = length;
		return fail_expected(cursor, "a system call or a @group");
	}
	name = strndup(cursor->text, length);
	if (!name) {
		return -ENOMEM;
	}
	cursor->subject->name = name;
	cursor->at = length;
	return is_group ? parse_group(cursor, name) : parse_call(cursor, name);
}

static int parse_number(struct cursor *cursor, size_t length, uint64_t *valuep)
{
	const char *text = cursor->text + cursor->at;
	char *end;

	errno = 0;
	*valuep = strtoull(text, &end, 0);
	if ((size_t)(end - text) != length) {
		return fail(cursor, cursor->at, "'%.*s' is not a number", (int)length, text);
	}
	if (errno == ERANGE) {
		return fail(
			cursor, cursor->at, "'%.*s' is more than 64 bits hold", (int)length, text);
	}
	cursor->at += length;
	return 0;
}

static int parse_constant(struct cursor *cursor, size_t length, uint64_t *valuep)
{
	const char *name = cursor->text + cursor->at;
	struct nearest nearest = NEAREST_TO(name, length);
	char hint[NEAREST_HINT_MAX];

	if (syscall_constant(name, length, valuep)) {
		cursor->at += length;
		return 0;
	}
	syscall_constants_offer(&nearest);
	return fail(cursor, cursor->at, "unknown constant '%.*s'%s", (int)length, name,
		nearest_hint(&nearest, hint, sizeof(hint)));
}

static int parse_term(struct cursor *cursor, uint64_t *valuep)
{
	bool negative = take(cursor, "-");
	size_t length;
	int error;

	skip_blanks(cursor);
	length = word_length(cursor);
	if (!length) {
		return fail_expected(cursor, "a number or a constant");
	}
	if (isdigit((unsigned char)cursor->text[cursor->at])) {
		error = parse_number(cursor, length, valuep);
	} else {
		error = parse_constant(cursor, length, valuep);
	}
	if (!error && negative) {
		*valuep = -*valuep;
	}
	return error;
}

static int parse_value(struct cursor *cursor, uint64_t *valuep)
{
	*valuep = 0;
	do {
		uint64_t term;
		int error = parse_term(cursor, &term);

		if (error) {
			return error;
		}
		*valuep |= term;
	} while (take(cursor, "|"));
	return 0;
}

static int parse_argument(struct cursor *cursor, struct comparison *comparison)
{
	int nr = cursor->subject->numbers[0];
	unsigned int count = syscall_argument_count(nr);
	const char *text;

	skip_blanks(cursor);
	text = cursor->text + cursor->at;
	if (word_length(cursor) != 4 || strncmp(text, "arg", 3) != 0 || text[3] < '0' ||
		text[3] >= (char)('0' + SYSCALL_ARGUMENTS)) {
		return fail_expected(cursor, "one of arg0 to arg5");
	}
	comparison->argument = (unsigned int)(text[3] - '0');
	if (comparison->argument >= count) {
		return fail(cursor, cursor->at, "%s has %u arguments, counted from arg0",
			cursor->subject->name, count);
	}
	cursor->at += 4;
	return 0;
}

/* Longer ones first, as they begin alike. */
static const struct {
	const char *token;
	enum comparison_operator operator;
} operators[] = {
	{"==", COMPARE_EQ},
	{"!=", COMPARE_NE},
	{"<=", COMPARE_LE},
	{">=", COMPARE_GE},
	{"<", COMPARE_LT},
	{">", COMPARE_GT},
	{"&", COMPARE_MASKED_EQ},
};
static_assert(array_length(operators) == COMPARE_MASKED_EQ + 1, "every operator has a token");

static int parse_operator(struct cursor *cursor, struct comparison *comparison)
{
	int error;

	for (size_t i = 0; i < array_length(operators); i++) {
		if (!take(cursor, operators[i].token)) {
			continue;
		}
		comparison->operator= operators[i].operator;
		if (comparison->operator!= COMPARE_MASKED_EQ) {
			return 0;
		}
		error = parse_value(cursor, &comparison->mask);
		if (!error && !take(cursor, "==")) {
			error = fail_expected(cursor, "== after the mask");
		}
		return error;
	}
	return fail_expected(cursor, "one of == != < <= > >= or & MASK ==");
}

/* An int may be written as it is meant, -1, or as its bits. */
static bool fits(uint64_t value, uint64_t width)
{
	return !(value & ~width) || ((value & ~width) == ~width && value & ((width >> 1) + 1));
}

static int check_meaning(
	struct cursor *cursor, size_t start, const struct comparison *comparison, uint64_t value)
{
	int nr = cursor->subject->numbers[0];
	uint64_t width = syscall_width(nr, comparison->argument);
	bool is_masked = comparison->operator== COMPARE_MASKED_EQ;
	bool tests_null = value == 0 &&
			  (comparison->operator== COMPARE_EQ || comparison->operator== COMPARE_NE);

	if (syscall_argument_is_pointer(nr, comparison->argument) && !tests_null) {
		return fail(cursor, start,
			"arg%u of %s is a pointer: it can be compared with 0 only, and what it "
			"points to not at all",
			comparison->argument, cursor->subject->name);
	}
	if (!fits(value, width) || (is_masked && !fits(comparison->mask, width))) {
		return fail(cursor, start, "the kernel looks at %d bits of arg%u of %s",
			__builtin_popcountll(width), comparison->argument, cursor->subject->name);
	}
	if (is_masked && value & ~comparison->mask) {
		return fail(cursor, start,
			"the comparison can never hold: the value has bits that the mask lacks");
	}
	return 0;
}

static int parse_comparison(struct cursor *cursor)
{
	struct syscall_subject *subject = cursor->subject;
	struct comparison comparison = {0};
	size_t start;
	int error;

	skip_blanks(cursor);
	start = cursor->at;
	if (subject->comparison_count == COMPARISONS_MAX) {
		return fail(cursor, start, "more than %d comparisons", COMPARISONS_MAX);
	}
	error = parse_argument(cursor, &comparison);
	if (!error) {
		error = parse_operator(cursor, &comparison);
	}
	if (!error) {
		error = parse_value(cursor, &comparison.value);
	}
	if (!error) {
		error = check_meaning(cursor, start, &comparison, comparison.value);
	}
	if (!error) {
		subject->comparisons[subject->comparison_count++] = comparison;
	}
	return error;
}

static int parse_comparisons(struct cursor *cursor)
{
	if (cursor->subject->name[0] == '@') {
		return fail(cursor, cursor->at,
			"the calls of a group have different arguments: name the call to compare "
			"them");
	}
	cursor->at++;
	cursor->subject->comparisons = calloc(COMPARISONS_MAX, sizeof(struct comparison));
	if (!cursor->subject->comparisons) {
		return -ENOMEM;
	}
	do {
		int error = parse_comparison(cursor);

		if (error) {
			return error;
		}
	} while (take(cursor, ","));
	return take(cursor, ")") ? 0 : fail_expected(cursor, "',' or ')'");
}

static int parse_subject(struct cursor *cursor)
{
	int error = parse_name(cursor);

	if (!error && cursor->text[cursor->at] == '(') {
		error = parse_comparisons(cursor);
	}
	if (!error && cursor->text[cursor->at]) {
		error = fail_expected(cursor, "the end of the subject");
	}
	return error;
}

int syscall_subject_parse(
	const char *text, struct syscall_subject *subject, struct syscall_parse_error *error)
{
	struct cursor cursor = {.text = text, .subject = subject, .error = error};
	int result;

	*subject = (struct syscall_subject){0};
	result = parse_subject(&cursor);
	if (result) {
		syscall_subject_finish(subject);
	}
	return result;
}

void syscall_subject_finish(struct syscall_subject *subject)
{
	free((char *)(uintptr_t)subject->name);
	free(subject->numbers);
	free(subject->comparisons);
	*subject = (struct syscall_subject){0};
}
