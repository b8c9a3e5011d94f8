/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/kin.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/policy/model.h"
#include "daemon/policy/pattern.h"

struct beginning {
	const char *text;
	size_t length;
	uint16_t path;
};

static int compare(const void *left, const void *right)
{
	const struct beginning *a = left, *b = right;
	int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);

	if (order == 0 && a->length != b->length) {
		order = a->length < b->length ? -1 : 1;
	}
	return order != 0 ? order : (int)a->path - (int)b->path;
}

static bool begins(const struct beginning *a, const struct beginning *b)
{
	return a->length <= b->length && memcmp(a->text, b->text, a->length) == 0;
}

static void sort(struct beginning *sorted, const struct policy *policy)
{
	for (size_t i = 0; i < policy->path_count; i++) {
		struct beginning *beginning = &sorted[i];

		beginning->path = (uint16_t)i;
		beginning->text =
			pattern_prefix(policy->paths[i].subject->path.pattern, &beginning->length);
	}
	qsort(sorted, policy->path_count, sizeof(*sorted), compare);
}

void kin_find(struct kin *kin, const struct policy *policy)
{
	struct beginning sorted[KIN_MAX];
	size_t count = policy->path_count;
	uint16_t last = KIN_MAX; /* the one before, and above it all that have not ended yet */

	sort(sorted, policy);
	for (size_t i = 0; i < count; i++) {
		uint16_t path = sorted[i].path;

		while (last != KIN_MAX && !begins(&sorted[kin->place[last]], &sorted[i])) {
			kin->behind[last] = (uint16_t)i;
			last = kin->above[last];
		}
		kin->sorted[i] = path;
		kin->place[path] = (uint16_t)i;
		kin->above[path] = last;
		last = path;
	}
	for (; last != KIN_MAX; last = kin->above[last]) {
		kin->behind[last] = (uint16_t)count;
	}
}

size_t kin_next(const struct kin *kin, size_t path, size_t other)
{
	size_t place = kin->place[other] + 1u, next;

	if (place <= kin->place[path]) {
		next = kin->above[other];
	} else {
		next = place < kin->behind[path] ? kin->sorted[place] : kin->above[path];
	}
	return next != KIN_MAX ? next : path;
}
