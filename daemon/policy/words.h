/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The legal words of the language as tables, and the nearest of them to a word that is not legal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct word {
	const char *name;
	long value;
};

struct words {
	const struct word *items;
	size_t count;
};

extern const struct words section_words;        /* enum policy_section; [policy] is -1 */
extern const struct words policy_key_words;     /* enum policy_key */
extern const struct words action_words;         /* enum policy_action */
extern const struct words modifier_words;       /* enum policy_modifier */
extern const struct words file_operation_words; /* masks of enum policy_operation */
extern const struct words network_operation_words;
extern const struct words network_words;           /* enum wire_network */
extern const struct words endpoint_words;          /* enum endpoint_word */
extern const struct words socket_family_words;     /* AF_* */
extern const struct words socket_type_words;       /* SOCK_* */
extern const struct words internet_protocol_words; /* IPPROTO_* */
extern const struct words netlink_protocol_words;  /* NETLINK_* */

#define SECTION_POLICY (-1)

enum policy_key { KEY_DESCRIPTION, KEY_INCLUDE, KEY_NET, KEY_FOLLOW, KEY_MECHANISM };
enum policy_modifier { MODIFIER_AUDIT = 1, MODIFIER_QUIET = 2 };
enum endpoint_word { WORD_TCP, WORD_UDP, WORD_UNIX, WORD_ANY };

/* The table's item for a word of `length` bytes; NULL if there is none. */
const struct word *word_find(const struct words *words, const char *text, size_t length);
/* The first item with this value; NULL if there is none. */
const char *word_name(const struct words *words, long value);

/* Collects the nearest of many candidates, a table at a time or one by one. */
struct nearest {
	const char *word;
	size_t length;
	const char *best; /* NULL: none is near */
	size_t distance;
};
#define NEAREST_TO(text, size)                   \
	{                                        \
		.word = (text), .length = (size) \
	}

void nearest_offer(struct nearest *nearest, const char *candidate);
void nearest_offer_words(struct nearest *nearest, const struct words *words);
void nearest_offer_errnos(struct nearest *nearest);

/* Writes "; did you mean 'WORD'?" or nothing. Returns `text`. */
const char *nearest_hint(const struct nearest *nearest, char *text, size_t size);
#define NEAREST_HINT_MAX 96
