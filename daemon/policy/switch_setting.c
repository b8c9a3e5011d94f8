/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/switch_setting.h"

#include <errno.h>

int switch_setting_read(const struct switch_setting *setting, const struct tokens *words,
	unsigned int *line, bool *on, struct complaints *complaints)
{
	const struct token *word = words->items;

	*on = token_is(word, setting->on);
	if (words->count != 1 || (!*on && !token_is(word, setting->off))) {
		complain(complaints, word->line, word->column, "'%s' is %s or %s, and nothing else",
			setting->key, setting->on, setting->off);
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
