/* SPDX-License-Identifier: Apache-2.0 */
/* What `--set NAME=VALUE` gives, gathered: of every command that has the option. */
#pragma once

#include <stddef.h>

#include "usher/wire.h"

/* Zeroed is empty. The strings are the caller's. */
struct sets {
	const char *items[WIRE_SETS_MAX]; /* as many as a hand-over can carry */
	size_t count;
};

/* 0, or -EINVAL or -E2BIG, said on stderr. */
int sets_add(struct sets *sets, const char *set);
