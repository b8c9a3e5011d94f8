/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from literal beginnings to the patterns that have them, each list in the patterns'
 * order. The hash is taken byte by byte, so that those of all ancestors of a path come along in one
 * walk over it. Never changed after it is filled; no question allocates.
 */
#include "daemon/policy/pattern_index.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HASH_BEGIN 0xcbf29ce484222325u /* FNV-1a */
#define HASH_PRIME 0x100000001b3u

struct entry {
	const struct pattern *pattern;
	size_t next; /* of the same beginning, or PATTERN_INDEX_NONE */
};

struct bucket {
	const char *prefix; /* NULL: empty */
	size_t length;
	uint64_t hash;
	size_t first, last; /* entries */
};

struct pattern_index {
	struct entry *entries; /* by order */
	size_t count;
	struct bucket *buckets;
	size_t mask;
};

static uint64_t hash_byte(uint64_t hash, char c)
{
	return (hash ^ (unsigned char)c) * HASH_PRIME;
}

struct pattern_index *pattern_index_new(size_t capacity)
{
	struct pattern_index *index = calloc(1, sizeof(*index));
	size_t size = 16;

	while (size < 2 * capacity) {
		size *= 2;
	}
	if (!index) {
		return NULL;
	}
	index->entries = calloc(capacity + 1, sizeof(*index->entries));
	index->buckets = calloc(size, sizeof(*index->buckets));
	index->mask = size - 1;
	if (!index->entries || !index->buckets) {
		pattern_index_free(index);
		return NULL;
	}
	return index;
}

void pattern_index_free(struct pattern_index *index)
{
	if (index) {
		free(index->entries);
		free(index->buckets);
		free(index);
	}
}

/* The bucket of this beginning, or the empty one where it would be. */
static struct bucket *find_bucket(
	const struct pattern_index *index, const char *prefix, size_t length, uint64_t hash)
{
	size_t i = (hash ^ hash >> 32) & index->mask;

	for (;; i = (i + 1) & index->mask) {
		struct bucket *bucket = &index->buckets[i];

		if (!bucket->prefix || (bucket->hash == hash && bucket->length == length &&
					       !memcmp(bucket->prefix, prefix, length))) {
			return bucket;
		}
	}
}

void pattern_index_add(struct pattern_index *index, const struct pattern *pattern)
{
	size_t length, order = index->count++;
	const char *prefix = pattern_prefix(pattern, &length);
	uint64_t hash = HASH_BEGIN;
	struct bucket *bucket;

	for (size_t i = 0; i < length; i++) {
		hash = hash_byte(hash, prefix[i]);
	}
	index->entries[order] = (struct entry){pattern, PATTERN_INDEX_NONE};
	bucket = find_bucket(index, prefix, length, hash);
	if (bucket->prefix) {
		index->entries[bucket->last].next = order;
		bucket->last = order;
	} else {
		*bucket = (struct bucket){prefix, length, hash, order, order};
	}
}

/* The first of the bucket's patterns that passes, if it is before `best`; else `best`. */
static size_t ask_bucket(const struct pattern_index *index, const struct bucket *bucket,
	size_t best, pattern_index_test *test, const void *user)
{
	if (!bucket->prefix) {
		return best;
	}
	for (size_t i = bucket->first; i < best; i = index->entries[i].next) {
		if (test(index->entries[i].pattern, i, user)) {
			return i;
		}
	}
	return best;
}

size_t pattern_index_find(const struct pattern_index *index, const char *path, size_t length,
	pattern_index_test *test, const void *user)
{
	size_t best = PATTERN_INDEX_NONE;
	uint64_t hash = HASH_BEGIN;

	for (size_t i = 0; i <= length; i++) {
		if (i == length || path[i] == '/') {
			best = ask_bucket(
				index, find_bucket(index, path, i, hash), best, test, user);
		}
		if (i < length) {
			hash = hash_byte(hash, path[i]);
		}
	}
	return best;
}
