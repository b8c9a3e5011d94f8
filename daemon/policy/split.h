/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How keys and values are cut into words, and how mistakes in them are told.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/policy/mistake.h"
#include "daemon/policy/report.h"

/* Where complaints about one file go. */
struct complaints {
	struct policy_report *report;
	const char *file;
	bool no_memory; /* a complaint was lost */
};

void complain(struct complaints *complaints, unsigned int line, unsigned int column,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A word; its text lies in the piece that was split. */
struct token {
	const char *text; /* without the quotes */
	size_t length;
	unsigned int line, column; /* of the first byte of `text` */
	bool quoted;
};

struct tokens {
	struct token *items;
	size_t count, capacity;
};

enum split_mode {
	SPLIT_PLAIN,
	SPLIT_PARENTHESES, /* blanks inside of parentheses do not end a word */
};

/*
 * Adds the words of `text`, which stands at line:column. 0, -EINVAL (complained about), -ENOMEM.
 */
int split(struct tokens *tokens, const char *text, unsigned int line, unsigned int column,
	enum split_mode mode, struct complaints *complaints);
void tokens_finish(struct tokens *tokens);

bool token_is(const struct token *token, const char *word);
