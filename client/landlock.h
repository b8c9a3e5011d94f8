/* SPDX-License-Identifier: Apache-2.0 */
/* The Landlock layer that enforces what may be executed, and the only user of its system calls. */
#pragma once

#include <stddef.h>

/*
 * Lays the rules of a FILTER packet on the calling thread and all that comes of it; nothing is done
 * if there are none. no_new_privs is set. 0 or a negative errno: -ENOSYS if the kernel has no
 * Landlock, -EOPNOTSUPP if it is switched off, -EPROTO if the rules are not as wire.h says.
 */
int landlock_confine(const char *rules, size_t count, size_t size);
