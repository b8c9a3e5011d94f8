/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A word ends at a blank; one in double quotes at the closing quote, and it has all its bytes as
 * they are. Quotes inside of a word would be read in two ways, and are refused.
 */
#include "daemon/policy/split.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void complain(struct complaints *complaints, unsigned int line, unsigned int column,
	const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (report_add_list(complaints->report, POLICY_ERROR, complaints->file, line, column,
		    format, arguments) < 0) {
		complaints->no_memory = true;
	}
	va_end(arguments);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int add_token(struct tokens *tokens, const struct token *token)
{
	if (tokens->count == tokens->capacity) {
		size_t capacity = tokens->capacity != 0 ? 2 * tokens->capacity : 16;
		struct token *items = reallocarray(tokens->items, capacity, sizeof(*items));

		if (!items) {
			return -ENOMEM;
		}
		tokens->items = items;
		tokens->capacity = capacity;
	}
	tokens->items[tokens->count++] = *token;
	return 0;
}

/* The length of the word at `text`, which is not quoted; `*openp`: a '(' that is not closed. */
static size_t word_length(const char *text, enum split_mode mode, bool *openp)
{
	size_t n = 0, depth = 0;

	while (text[n] != '\0' && (depth > 0 || !is_blank(text[n]))) {
		if (mode == SPLIT_PARENTHESES && text[n] == '(') {
			depth++;
		} else if (mode == SPLIT_PARENTHESES && text[n] == ')' && depth > 0) {
			depth--;
		}
		n++;
	}
	*openp = depth > 0;
	return n;
}

/* The word at text[*ip]; moves *ip behind it. NULL, or what is wrong. */
static const char *next_token(
	struct token *token, const char *text, size_t *ip, enum split_mode mode)
{
	size_t i = *ip;
	bool open = false;
	const char *quote;

	token->quoted = text[i] == '"';
	if (token->quoted) {
		quote = strchr(text + i + 1, '"');
		if (!quote) {
			return "the double quote is not closed on this line";
		}
		token->text = text + i + 1;
		token->length = (size_t)(quote - token->text);
		*ip = i + token->length + 2;
		if (text[*ip] != '\0' && !is_blank(text[*ip])) {
			return "double quotes stand around a whole word";
		}
		return token->length == 0 ? "there is nothing between the quotes" : NULL;
	}
	token->text = text + i;
	token->length = word_length(text + i, mode, &open);
	*ip = i + token->length;
	if (open) {
		return "'(' is not closed on this line";
	}
	return memchr(token->text, '"', token->length) ? "double quotes stand around a whole word"
						       : NULL;
}

int split(struct tokens *tokens, const char *text, unsigned int line, unsigned int column,
	enum split_mode mode, struct complaints *complaints)
{
	size_t i = 0;

	for (;;) {
		struct token token = {.line = line};
		const char *wrong;
		size_t begin;

		while (is_blank(text[i])) {
			i++;
		}
		if (text[i] == '\0') {
			return 0;
		}
		begin = i;
		wrong = next_token(&token, text, &i, mode);
		if (wrong) {
			complain(complaints, line, column + (unsigned int)begin, "%s", wrong);
			return -EINVAL;
		}
		token.column = column + (unsigned int)(token.text - text);
		if (add_token(tokens, &token) < 0) {
			return -ENOMEM;
		}
	}
}

void tokens_finish(struct tokens *tokens)
{
	free(tokens->items);
	memset(tokens, 0, sizeof(*tokens));
}

bool token_is(const struct token *token, const char *word)
{
	return !token->quoted && strlen(word) == token->length &&
	       !memcmp(token->text, word, token->length);
}
