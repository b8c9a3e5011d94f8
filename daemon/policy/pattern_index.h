/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many path patterns, asked in their order, without trying all of them: what a pattern matches lies
 * below its literal beginning, so only the patterns that begin like one of the path's ancestors (or
 * the path itself) can match. The cost of a question is the path's depth and those patterns.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/policy/order_table.h"
#include "daemon/policy/pattern.h"

struct pattern_index;

/* For patterns whose orders are below `capacity`; NULL if there is no memory. */
struct pattern_index *pattern_index_new(size_t capacity);
void pattern_index_free(struct pattern_index *index);

/* Orders are added ascending. The pattern stays the caller's. */
void pattern_index_add(struct pattern_index *index, size_t order, const struct pattern *pattern);

/*
 * The lowest order below `limit` whose pattern begins like an ancestor of `path` (absolute,
 * `length` bytes; of an empty path the root) and passes the test; else `limit`. ORDER_NONE is a
 * limit that is none.
 */
typedef bool pattern_index_test(const struct pattern *pattern, size_t order, const void *user);
size_t pattern_index_find(const struct pattern_index *index, const char *path, size_t length,
	size_t limit, pattern_index_test *test, const void *user);
