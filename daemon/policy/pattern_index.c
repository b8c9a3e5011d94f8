/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of the table are the patterns' literal beginnings. Of the path that is asked about only
 * those beginnings are looked up that are as long as some key: with few rules that is hardly any.
 * Never changed after it is filled; no question allocates.
 */
#include "daemon/policy/pattern_index.h"

#include <stdlib.h>

struct pattern_index {
	const struct pattern **patterns; /* by order; NULL: not of this index */
	struct order_table *table;
	uint64_t lengths; /* a bit for each length of a key, modulo 64 */
	size_t longest;
};

struct pattern_index *pattern_index_new(size_t capacity)
{
	struct pattern_index *index = calloc(1, sizeof(*index));

	if (!index) {
		return NULL;
	}
	index->patterns = calloc(capacity + 1, sizeof(const void *));
	index->table = order_table_new(capacity);
	if (!index->patterns || !index->table) {
		pattern_index_free(index);
		return NULL;
	}
	return index;
}

void pattern_index_free(struct pattern_index *index)
{
	if (index) {
		free(index->patterns);
		order_table_free(index->table);
		free(index);
	}
}

void pattern_index_add(struct pattern_index *index, size_t order, const struct pattern *pattern)
{
	size_t length;
	const char *prefix = pattern_prefix(pattern, &length);

	index->patterns[order] = pattern;
	index->lengths |= UINT64_C(1) << length % 64;
	index->longest = length > index->longest ? length : index->longest;
	order_table_add(index->table, order, prefix, length, order_hash(prefix, length));
}

static bool has_length(const struct pattern_index *index, size_t length)
{
	return index->lengths >> length % 64 & 1;
}

size_t pattern_index_find(const struct pattern_index *index, const char *path, size_t length,
	size_t limit, pattern_index_test *test, const void *user)
{
	for (size_t i = 0; i <= length && i <= index->longest; i++) {
		if ((i < length && path[i] != '/') || !has_length(index, i)) {
			continue;
		}
		size_t order = order_table_first(index->table, path, i, order_hash(path, i));

		while (order < limit && !test(index->patterns[order], order, user)) {
			order = order_table_next(index->table, order);
		}
		limit = order < limit ? order : limit;
	}
	return limit;
}
