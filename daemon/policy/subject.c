/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A section's reader takes one subject from the words that are left. One that finds a mistake
 * complains, and leaves the rest to its successors, so that all mistakes are found in one run.
 */
#include "daemon/policy/subject.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/execute.h"
#include "daemon/policy/model.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/socket_subject.h"
#include "daemon/policy/syscall_subject.h"
#include "daemon/policy/words.h"

/* The words of one value. */
struct cursor {
	struct subject_reading *reading;
	const struct token *next, *end;
};

/* Reads one subject (or several of the same text) into the rule. 0, -EINVAL, -ENOMEM. */
typedef int subject_reader(struct policy_rule *rule, struct cursor *cursor);

static int fail(struct cursor *cursor, const struct token *token, const char *text)
{
	complain(cursor->reading->complaints, token->line, token->column, "%s", text);
	return -EINVAL;
}

/* A mistake in an expanded word, told where the word stands in the file. */
static int fail_inside(
	struct cursor *cursor, const struct token *token, const struct mistake *mistake)
{
	const struct expansion *expansion = &cursor->reading->expansion;
	size_t offset = mistake->offset < expansion->length ? mistake->offset : expansion->length;

	complain(cursor->reading->complaints, token->line,
		token->column + (unsigned int)expansion->origins[offset], "%s", mistake->text);
	return -EINVAL;
}

/* The word with its variables filled in, in reading->expansion. */
static int expand(struct cursor *cursor, const struct token *token)
{
	struct mistake mistake;
	int r = variables_expand(cursor->reading->variables, token->text, token->length,
		&cursor->reading->expansion, &mistake);

	if (r == -EINVAL) {
		complain(cursor->reading->complaints, token->line,
			token->column + (unsigned int)mistake.offset, "%s", mistake.text);
	}
	return r;
}

/* Adds a subject that was written with the words [first, cursor->next). */
static int add_subject(struct policy_rule *rule, const struct cursor *cursor,
	const struct token *first, struct policy_subject **subjectp)
{
	size_t count = rule->subject_count, length = 1;
	struct policy_subject *subject;
	char *end;

	if ((count & (count - 1)) == 0) {
		subject = reallocarray(
			rule->subjects, count == 0 ? 1 : 2 * count, sizeof(*rule->subjects));
		if (!subject) {
			return -ENOMEM;
		}
		rule->subjects = subject;
	}
	for (const struct token *token = first; token < cursor->next; token++) {
		length += token->length + 3;
	}
	subject = &rule->subjects[count];
	memset(subject, 0, sizeof(*subject));
	subject->line = first->line;
	subject->column = first->column;
	subject->text = malloc(length);
	if (!subject->text) {
		return -ENOMEM;
	}
	end = subject->text;
	*end = '\0';
	for (const struct token *token = first; token < cursor->next; token++) {
		const char *quote = token->quoted ? "\"" : "";

		end = stpcpy(stpcpy(end, token == first ? "" : " "), quote);
		end = stpcpy(mempcpy(end, token->text, token->length), quote);
	}
	rule->subject_count++;
	*subjectp = subject;
	return 0;
}

static bool at_arrow(const struct cursor *cursor)
{
	return cursor->next < cursor->end && token_is(cursor->next, "->");
}

/* Behind a subject: `->` and what is given instead, for an injection and for nothing else. */
static int read_arrow(const struct policy_rule *rule, struct cursor *cursor)
{
	const struct token *last = cursor->next - 1;

	if (rule->action != POLICY_INJECT) {
		return at_arrow(cursor)
			       ? fail(cursor, cursor->next, "'->' stands in 'inject' rules only")
			       : 0;
	}
	if (!at_arrow(cursor)) {
		return fail(cursor, last,
			"an injection says what is given instead: SUBJECT -> REPLACEMENT");
	}
	cursor->next++;
	if (cursor->next == cursor->end) {
		return fail(cursor, cursor->next - 1, "nothing stands behind '->'");
	}
	return 0;
}

/* After a mistake: `-> REPLACEMENT` belongs to the subject that was wrong. */
static void skip_arrow(struct cursor *cursor)
{
	if (at_arrow(cursor)) {
		cursor->next += cursor->next + 1 < cursor->end ? 2 : 1;
	}
}

static int read_path_pattern(struct cursor *cursor, struct pattern **patternp)
{
	const struct token *token = cursor->next++;
	const struct expansion *expansion = &cursor->reading->expansion;
	struct mistake mistake;
	int r = expand(cursor, token);

	if (r < 0) {
		return r;
	}
	r = pattern_path_new(
		patternp, expansion->text, expansion->literal, expansion->length, &mistake);
	return r == -EINVAL ? fail_inside(cursor, token, &mistake) : r;
}

/* The replacement is one file: a pattern without special characters. */
static int read_replacement(struct cursor *cursor, char **pathp)
{
	const struct token *token = cursor->next;
	struct pattern *pattern = NULL;
	int r = read_path_pattern(cursor, &pattern);

	if (r == 0 && !pattern_literal(pattern)) {
		r = fail(cursor, token, "what is given instead is one file, not a pattern");
	} else if (r == 0) {
		*pathp = strdup(pattern_literal(pattern));
		r = *pathp ? 0 : -ENOMEM;
	}
	pattern_free(pattern);
	return r;
}

/* What the kernel is to decide on is said in the words that it knows. */
static int check_execute(const struct policy_rule *rule, struct cursor *cursor,
	const struct token *first, const struct pattern *pattern)
{
	if ((rule->named & OPERATION_EXECUTE) == 0 || execute_pattern_is_enforceable(pattern)) {
		return 0;
	}
	return fail(cursor, first,
		"'execute' is enforced by Landlock, which knows files and whole directories: "
		"/path/file or /path/dir/**");
}

static int read_file_subject(struct policy_rule *rule, struct cursor *cursor)
{
	const struct token *first = cursor->next;
	struct path_subject path = {NULL, NULL};
	struct policy_subject *subject;
	int r = read_path_pattern(cursor, &path.pattern);

	r = r < 0 ? r : check_execute(rule, cursor, first, path.pattern);
	if (r == -EINVAL) {
		skip_arrow(cursor);
	}
	r = r < 0 ? r : read_arrow(rule, cursor);
	if (r == 0 && rule->action == POLICY_INJECT) {
		r = read_replacement(cursor, &path.replacement);
	} else if (r == -EINVAL) {
		skip_arrow(cursor);
	}
	r = r < 0 ? r : add_subject(rule, cursor, first, &subject);
	if (r < 0) {
		pattern_free(path.pattern);
		free(path.replacement);
		return r;
	}
	subject->path = path;
	return 0;
}

static int read_endpoint(struct cursor *cursor, struct endpoint_subject *endpoint)
{
	const struct token *kind = cursor->next++, *token = kind;
	const struct word *word = word_find(&endpoint_words, kind->text, kind->length);
	struct expansion *expansion = &cursor->reading->expansion;
	struct nearest nearest = NEAREST_TO(kind->text, kind->length);
	char hint[NEAREST_HINT_MAX];
	struct mistake mistake;
	int r = 0;

	if (!word) {
		nearest_offer_words(&nearest, &endpoint_words);
		complain(cursor->reading->complaints, kind->line, kind->column,
			"'%.*s' is not a kind of address%s; one of tcp, udp, unix, any is expected",
			(int)kind->length, kind->text, nearest_hint(&nearest, hint, sizeof(hint)));
		return -EINVAL;
	}
	if (word->value != WORD_ANY) {
		if (cursor->next == cursor->end || at_arrow(cursor)) {
			return fail(cursor, kind,
				word->value == WORD_UNIX
					? "a path or an @name is expected behind 'unix'"
					: "HOST:PORTS is expected behind the protocol");
		}
		token = cursor->next++;
		r = expand(cursor, token);
	}
	if (r < 0) {
		return r;
	}
	r = endpoint_subject_parse(endpoint, word->value, expansion->text, expansion->literal,
		expansion->length, cursor->reading->services, &mistake);
	return r == -EINVAL ? fail_inside(cursor, token, &mistake) : r;
}

/* After a bad kind of address the word behind it is most likely its address. */
static void skip_address(struct cursor *cursor, const struct token *first)
{
	if (cursor->next == first + 1 && cursor->next < cursor->end &&
		!word_find(&endpoint_words, cursor->next->text, cursor->next->length) &&
		!at_arrow(cursor)) {
		cursor->next++;
	}
}

/* `fd NAME`: a socket that somebody has opened beforehand. The word is a name as it is. */
static int read_descriptor(
	const struct policy_rule *rule, struct cursor *cursor, struct endpoint_subject *endpoint)
{
	const struct token *word = cursor->next++, *name = cursor->next;

	if (cursor->next == cursor->end) {
		return fail(cursor, word, "the name of a descriptor is expected behind 'fd'");
	}
	cursor->next++;
	if (rule->operations != OPERATION_BIND) {
		return fail(cursor, word, "'fd' is given instead of binding: inject bind = ...");
	}
	endpoint->descriptor = strndup(name->text, name->length);
	return endpoint->descriptor ? 0 : -ENOMEM;
}

static bool is_one_address(const struct endpoint_subject *endpoint)
{
	if (endpoint->any) {
		return false;
	}
	if (endpoint->pattern) {
		return pattern_literal(endpoint->pattern);
	}
	return endpoint->family != AF_UNSPEC &&
	       endpoint->prefix == (endpoint->family == AF_INET ? 32 : 128) &&
	       endpoint->port_first == endpoint->port_last;
}

static bool is_internet(const struct endpoint_subject *endpoint)
{
	return !endpoint->any && !endpoint->pattern;
}

/* What is given instead of `of`: one address that a socket for that one can be led to. */
static int read_replaced_endpoint(
	const struct policy_rule *rule, struct cursor *cursor, struct endpoint_subject *of)
{
	const struct token *first = cursor->next;
	struct endpoint_subject *endpoint = calloc(1, sizeof(*endpoint));

	of->replacement = endpoint;
	if (!endpoint) {
		return -ENOMEM;
	}
	if (token_is(first, "fd")) {
		return read_descriptor(rule, cursor, endpoint);
	}
	int r = read_endpoint(cursor, endpoint);
	if (r == 0 && !is_one_address(endpoint)) {
		return fail(cursor, first,
			"what is given instead is one address: one host and one port, or one path");
	}
	if (r == 0 && endpoint->kind == ENDPOINT_UNIX_PATH && (rule->operations & OPERATION_BIND)) {
		return fail(
			cursor, first, "a path is made by binding, and cannot be given instead");
	}
	if (r == 0 && is_internet(of) && is_internet(endpoint) && of->kind != endpoint->kind) {
		return fail(cursor, first, "tcp cannot be led to udp, nor udp to tcp");
	}
	return r;
}

/* One binds an address of one's own; what leads there is of no account. */
static int check_host(const struct policy_rule *rule, struct cursor *cursor,
	const struct token *first, const struct endpoint_subject *endpoint)
{
	if (!endpoint->host || !(rule->named & OPERATION_BIND)) {
		return 0;
	}
	return fail(cursor, first + 1, "a rule about bind names an address, not a host");
}

static int read_network_subject(struct policy_rule *rule, struct cursor *cursor)
{
	const struct token *first = cursor->next;
	struct endpoint_subject endpoint = {.any = false};
	struct policy_subject *subject;
	int r = read_endpoint(cursor, &endpoint);

	if (r == -EINVAL) {
		skip_address(cursor, first);
	}
	r = r < 0 ? r : check_host(rule, cursor, first, &endpoint);
	if (r == 0) {
		r = read_arrow(rule, cursor);
	}
	if (r == 0 && rule->action == POLICY_INJECT) {
		r = read_replaced_endpoint(rule, cursor, &endpoint);
	} else if (r == -EINVAL) {
		skip_arrow(cursor);
	}
	r = r < 0 ? r : add_subject(rule, cursor, first, &subject);
	if (r < 0) {
		endpoint_subject_finish(&endpoint);
		return r;
	}
	subject->endpoint = endpoint;
	return 0;
}

static int read_socket_subject(struct policy_rule *rule, struct cursor *cursor)
{
	const struct token *token = cursor->next++;
	struct socket_subject sockets[SOCKET_SUBJECTS_MAX];
	struct policy_subject *subject;
	struct mistake mistake;
	int count, r = expand(cursor, token);

	if (r < 0) {
		return r;
	}
	count = socket_subject_parse(sockets, cursor->reading->expansion.text, &mistake);
	if (count < 0) {
		return fail_inside(cursor, token, &mistake);
	}
	for (int i = 0; r == 0 && i < count; i++) {
		r = add_subject(rule, cursor, token, &subject);
		if (r == 0) {
			subject->socket = sockets[i];
		}
	}
	return r;
}

static int read_syscall_subject(struct policy_rule *rule, struct cursor *cursor)
{
	const struct token *token = cursor->next++;
	struct syscall_subject call;
	struct policy_subject *subject;
	struct syscall_parse_error error;
	struct mistake mistake;
	int r = expand(cursor, token);

	if (r < 0) {
		return r;
	}
	r = syscall_subject_parse(cursor->reading->expansion.text, &call, &error);
	if (r == -EINVAL) {
		mistake_set(&mistake, error.offset, "%s", error.text);
		return fail_inside(cursor, token, &mistake);
	}
	r = r < 0 ? r : add_subject(rule, cursor, token, &subject);
	if (r == 0) {
		subject->syscall = call;
	}
	return r;
}

static subject_reader *const readers[] = {
	[POLICY_FILES] = read_file_subject,
	[POLICY_NETWORK] = read_network_subject,
	[POLICY_SOCKETS] = read_socket_subject,
	[POLICY_SYSCALLS] = read_syscall_subject,
};
static_assert(array_length(readers) == POLICY_SECTIONS, "every section has a reader");

int subjects_parse(
	struct policy_rule *rule, struct subject_reading *reading, const struct tokens *tokens)
{
	struct cursor cursor = {reading, tokens->items, tokens->items + tokens->count};
	int result = 0;

	while (cursor.next < cursor.end) {
		int r = readers[rule->section](rule, &cursor);

		if (r == -ENOMEM) {
			return r;
		}
		result = r < 0 ? r : result;
	}
	return result;
}
