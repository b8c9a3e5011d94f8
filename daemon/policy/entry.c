/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/policy/ini.h"

int entry_add(struct entry *entry, const struct ini_piece *piece)
{
	char *text = strdup(piece->text);

	if (text && entry->count == entry->capacity) {
		size_t capacity = entry->capacity != 0 ? 2 * entry->capacity : 8;
		struct piece *pieces = reallocarray(entry->pieces, capacity, sizeof(*pieces));

		if (pieces) {
			entry->pieces = pieces;
			entry->capacity = capacity;
		}
	}
	if (!text || entry->count == entry->capacity) {
		free(text);
		return -ENOMEM;
	}
	entry->pieces[entry->count++] = (struct piece){piece->line, piece->column, text};
	return 0;
}

void entry_clear(struct entry *entry)
{
	for (size_t i = 0; i < entry->count; i++) {
		free(entry->pieces[i].text);
	}
	entry->count = 0;
}

void entry_finish(struct entry *entry)
{
	entry_clear(entry);
	free(entry->pieces);
	*entry = (struct entry){.pieces = NULL};
}

char *entry_text(const struct entry *entry)
{
	size_t size = sizeof(" = ");
	char *text, *end;

	for (size_t i = 0; i < entry->count; i++) {
		size += strlen(entry->pieces[i].text) + 1;
	}
	text = malloc(size);
	if (!text) {
		return NULL;
	}
	end = stpcpy(stpcpy(text, entry->pieces[0].text), " =");
	for (size_t i = 1; i < entry->count; i++) {
		if (entry->pieces[i].text[0] != '\0') {
			end = stpcpy(stpcpy(end, " "), entry->pieces[i].text);
		}
	}
	return text;
}
