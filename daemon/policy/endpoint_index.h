/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many subjects of [network], asked in their order, without trying all of them. Those with an
 * address are found by its prefix and port, those with a unix path by the path's beginning; the
 * rest (`any`, abstract names) are tried one by one. The cost of a question is the number of
 * different prefix lengths in the policy, not that of its rules.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/policy/order_table.h"
#include "daemon/policy/rule.h"

struct endpoint_index;

/* For subjects whose orders are below `capacity`; NULL if there is no memory. */
struct endpoint_index *endpoint_index_new(size_t capacity);
void endpoint_index_free(struct endpoint_index *index);

/* Orders are added ascending. The subject stays the caller's. */
void endpoint_index_add(
	struct endpoint_index *index, size_t order, const struct endpoint_subject *subject);

/*
 * The lowest order whose subject may match `endpoint` (canonical), or may cover `narrow` (see
 * endpoint_subject_covers), and passes the test, or ORDER_NONE. It is the test that decides whether
 * the subject does match or cover.
 */
typedef bool endpoint_index_test(
	const struct endpoint_subject *subject, size_t order, const void *user);
size_t endpoint_index_find(const struct endpoint_index *index,
	const struct policy_endpoint *endpoint, endpoint_index_test *test, const void *user);
size_t endpoint_index_find_cover(const struct endpoint_index *index,
	const struct endpoint_subject *narrow, endpoint_index_test *test, const void *user);
