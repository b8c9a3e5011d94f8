/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places on a system through which a confined program gets something done by one that is not.
 */
#pragma once

#include <stddef.h>

#define LINT_TABLE_MAX 64

struct lint_place {
	const char *path; /* with variables; `@` begins an abstract name */
	const char *what; /* one text for places of one kind: compared by its address */
};

/* Sockets that start processes or hand out root. */
extern const struct lint_place lint_launchers_table[];
extern const size_t lint_launcher_count;

/* Files that run later, or say what does. */
extern const struct lint_place lint_later_table[];
extern const size_t lint_later_count;
