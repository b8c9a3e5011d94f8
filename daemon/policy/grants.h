/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is allowed of the operations that are Landlock's (mechanism.h), for the client, which lays
 * it on: one string for each file or whole directory (see FILTER in include/usher/wire.h). They are
 * in no order, since there are no denials among them.
 */
#pragma once

#include <stddef.h>

struct policy;

struct grants {
	char *text; /* the strings, NULs included */
	size_t size, count;
};

/*
 * Of `operations`, all of which are Landlock's. 0 or a negative errno: -E2BIG if they would not fit
 * into a packet.
 */
int grants_make(struct grants *grants, const struct policy *policy, unsigned int operations);
void grants_finish(struct grants *grants);
