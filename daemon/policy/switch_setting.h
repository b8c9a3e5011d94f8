/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of [policy] that are one of some words: `follow = no|yes`, and `mechanism =
 * automatic|broker|kernel`. That of an included file is read, but is not the policy's.
 */
#pragma once

#include <stdbool.h>

#include "daemon/policy/report.h"
#include "daemon/policy/split.h"

struct switch_setting {
	const char *key;
	const char *words[4]; /* the last is NULL */
};

/*
 * Takes the setting's words. `line` is 0, or where this file has the setting already, and becomes
 * where it is. 0 and the number of the word, or -EINVAL, complained.
 */
int switch_setting_read(const struct switch_setting *setting, const struct tokens *words,
	unsigned int *line, unsigned int *value, struct complaints *complaints);
