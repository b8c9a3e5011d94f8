/* SPDX-License-Identifier: Apache-2.0 */
#include "client/sets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/cleanup.h"

int sets_add(struct sets *sets, const char *set)
{
	const char *equals = strchr(set, '=');

	if (!equals || equals == set) {
		(void)fprintf(stderr, "usher: --set '%s': it must be NAME=VALUE\n", set);
		return -EINVAL;
	}
	if (sets->count == array_length(sets->items)) {
		(void)fprintf(stderr, "usher: --set is given more than %zu times\n",
			array_length(sets->items));
		return -E2BIG;
	}
	sets->items[sets->count++] = set;
	return 0;
}
