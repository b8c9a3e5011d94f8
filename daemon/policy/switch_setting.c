/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/switch_setting.h"

#include <errno.h>
#include <stdio.h>

/* "a or b", "a, b or c". */
static const char *list_words(const struct switch_setting *setting, char *list, size_t size)
{
	size_t used = 0;

	for (unsigned int i = 0; setting->words[i] && used < size; i++) {
		const char *between = i == 0 ? "" : setting->words[i + 1] ? ", " : " or ";

		used += (size_t)snprintf(
			list + used, size - used, "%s%s", between, setting->words[i]);
	}
	return list;
}

static bool find_word(
	const struct switch_setting *setting, const struct tokens *words, unsigned int *value)
{
	for (unsigned int i = 0; words->count == 1 && setting->words[i]; i++) {
		if (token_is(words->items, setting->words[i])) {
			*value = i;
			return true;
		}
	}
	return false;
}

int switch_setting_read(const struct switch_setting *setting, const struct tokens *words,
	unsigned int *line, unsigned int *value, struct complaints *complaints)
{
	const struct token *word = words->items;
	char list[100];

	if (!find_word(setting, words, value)) {
		complain(complaints, word->line, word->column, "'%s' is %s, and nothing else",
			setting->key, list_words(setting, list, sizeof(list)));
		return -EINVAL;
	}
	if (*line != 0) {
		complain(complaints, word->line, word->column,
			"a second '%s'; the first is in line %u", setting->key, *line);
		return -EINVAL;
	}
	*line = word->line;
	return 0;
}
