/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of the table are the patterns' literal beginnings. Never changed after it is filled; no
 * question allocates.
 */
#include "daemon/policy/pattern_index.h"

#include <stdlib.h>

struct pattern_index {
	const struct pattern **patterns; /* by order; NULL: not of this index */
	struct order_table *table;
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
	order_table_add(index->table, order, prefix, length, order_hash_bytes(prefix, length));
}

size_t pattern_index_find(const struct pattern_index *index, const char *path, size_t length,
	size_t limit, pattern_index_test *test, const void *user)
{
	uint64_t hash = ORDER_HASH_BEGIN;

	for (size_t i = 0; i <= length; i++) {
		if (i == length || path[i] == '/') {
			size_t order = order_table_first(index->table, path, i, hash);

			while (order < limit && !test(index->patterns[order], order, user)) {
				order = order_table_next(index->table, order);
			}
			limit = order < limit ? order : limit;
		}
		if (i < length) {
			hash = order_hash(hash, (unsigned char)path[i]);
		}
	}
	return limit;
}
