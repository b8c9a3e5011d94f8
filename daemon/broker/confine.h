/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker gives up what it does not need before it looks at anything a target can influence: new
 * privileges, capabilities, system calls, dumps, being looked into by its own targets.
 */
#pragma once

#include <stdint.h>

/* Descriptors above `last_fd` are closed. 0 or a negative errno. */
int confine(int last_fd);

/* Gives these up for good. There is one thread yet, since each has its own. 0 or a negative errno.
 */
int confine_capabilities(uint64_t given_up);
