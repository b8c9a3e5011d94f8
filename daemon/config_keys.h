/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections and keys of usherd.ini(5): fills a configuration from a text.
 */
#pragma once

#include <stddef.h>

struct config;
struct policy_report;

/*
 * Reads `text`, the contents of `file`, into `config`, which holds the defaults. 0 or a negative
 * errno when it could not go on; mistakes of the text are in `report` and do not end the reading.
 */
int config_read(struct config *config, const char *file, const char *text, size_t size,
	struct policy_report *report);

/* The key at `index` of the table, and its section's name; NULL past the last. */
const char *config_key_name(size_t index, const char **section);
