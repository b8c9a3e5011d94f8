/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from keys to the orders of the rules that have them: which rules may match is found
 * by their keys, and the lowest order that does match is the one that decides. Each order has one
 * key, and the orders of a key are told in ascending order. Filled once, then only read; no
 * question allocates.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct order_table;

#define ORDER_NONE ((size_t)-1)

/* Of any bytes, also for others who look something up by them. */
uint64_t order_hash(const void *key, size_t length);

/* For orders below `capacity`; NULL if there is no memory. */
struct order_table *order_table_new(size_t capacity);
void order_table_free(struct order_table *table);

/* Orders are added ascending. The key stays the caller's, and stays. */
void order_table_add(
	struct order_table *table, size_t order, const void *key, size_t length, uint64_t hash);

/* The lowest order of this key, and the next one of the same key, or ORDER_NONE. */
size_t order_table_first(
	const struct order_table *table, const void *key, size_t length, uint64_t hash);
size_t order_table_next(const struct order_table *table, size_t order);
