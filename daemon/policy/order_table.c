/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing with twice as many buckets as there can be keys; the orders of a key are a list
 * through an array that is indexed by order.
 */
#include "daemon/policy/order_table.h"

#include <stdlib.h>
#include <string.h>

struct bucket {
	const void *key; /* NULL: empty */
	uint64_t hash;
	uint32_t length;
	uint32_t first, last;
};

/* The end of a list; a policy has fewer subjects than bytes (see source.h). */
#define LAST UINT32_MAX

struct order_table {
	struct bucket *buckets;
	uint32_t *next; /* by order */
	size_t mask;
};

/* The last eight bytes, of which some may have been taken already, or the few that there are. */
static uint64_t last_part(const unsigned char *end, size_t length)
{
	uint64_t part = 0;

	if (length >= sizeof(part)) {
		memcpy(&part, end - sizeof(part), sizeof(part));
		return part;
	}
	while (length > 0) {
		part = part << 8 | *(end - length--);
	}
	return part;
}

/* Eight bytes at a time, since it is done for each question; the last step is splitmix64's. */
uint64_t order_hash(const void *key, size_t length)
{
	const unsigned char *bytes = key;
	uint64_t hash = length, part;

	for (size_t done = 0; done + sizeof(part) < length; done += sizeof(part)) {
		memcpy(&part, bytes + done, sizeof(part));
		hash = (hash ^ part) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	hash = (hash ^ last_part(bytes + length, length)) * 0xbf58476d1ce4e5b9u;
	hash ^= hash >> 31;
	return hash * 0x94d049bb133111ebu;
}

struct order_table *order_table_new(size_t capacity)
{
	struct order_table *table = calloc(1, sizeof(*table));
	size_t size = 16;

	if (!table) {
		return NULL;
	}
	while (size < 2 * capacity) {
		size *= 2;
	}
	table->mask = size - 1;
	table->buckets = calloc(size, sizeof(*table->buckets));
	table->next = calloc(capacity + 1, sizeof(*table->next));
	if (!table->buckets || !table->next) {
		order_table_free(table);
		return NULL;
	}
	return table;
}

void order_table_free(struct order_table *table)
{
	if (table) {
		free(table->buckets);
		free(table->next);
		free(table);
	}
}

/* The bucket of this key, or the empty one where it would be. */
static struct bucket *find_bucket(
	const struct order_table *table, const void *key, size_t length, uint64_t hash)
{
	for (size_t i = (hash ^ hash >> 32) & table->mask;; i = (i + 1) & table->mask) {
		struct bucket *bucket = &table->buckets[i];

		if (!bucket->key || (bucket->hash == hash && bucket->length == length &&
					    !memcmp(bucket->key, key, length))) {
			return bucket;
		}
	}
}

void order_table_add(
	struct order_table *table, size_t order, const void *key, size_t length, uint64_t hash)
{
	struct bucket *bucket = find_bucket(table, key, length, hash);

	table->next[order] = LAST;
	if (bucket->key) {
		table->next[bucket->last] = (uint32_t)order;
		bucket->last = (uint32_t)order;
	} else {
		*bucket = (struct bucket){
			key, hash, (uint32_t)length, (uint32_t)order, (uint32_t)order};
	}
}

size_t order_table_first(
	const struct order_table *table, const void *key, size_t length, uint64_t hash)
{
	const struct bucket *bucket = find_bucket(table, key, length, hash);

	return bucket->key ? bucket->first : ORDER_NONE;
}

size_t order_table_next(const struct order_table *table, size_t order)
{
	return table->next[order] == LAST ? ORDER_NONE : table->next[order];
}
