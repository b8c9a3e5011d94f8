/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Landlock layer that enforces what may be executed and, where that can be left to the kernel
 * alone, read, written, created and removed; and the only user of its system calls. It is made
 * before anything is given up, so that one that does not suit this machine can be done without.
 */
#pragma once

#include <stdbool.h>

#include "client/landlock_grants.h"

/* Of a FILTER packet. */
struct landlock_rules {
	struct string_pack execute;
	unsigned int operations; /* on files, that are its; their grants: */
	struct string_pack grants;
};

/* Has the kernel a Landlock, and is it switched on? */
bool landlock_is_there(void);

struct landlock_layer {
	int ruleset;          /* -1 if none is needed */
	bool shows_processes; /* it grants /proc: process_rights.h */
};

/* Would a layer with these operations suit this machine? The reason if not; nothing is made. */
bool landlock_suits(const struct landlock_rules *rules, char reason[LANDLOCK_REASON_MAX]);

/*
 * Makes the layer; its ruleset becomes the caller's.
 * LANDLOCK_UNSUITED with the reason; 0 or a negative errno: -ENOSYS if the kernel has no Landlock,
 * -EOPNOTSUPP if it is switched off, -EPROTO if the rules are not as wire.h says.
 */
int landlock_make(const struct landlock_rules *rules, struct landlock_layer *layer,
	char reason[LANDLOCK_REASON_MAX]);

/*
 * Lays it on the calling thread and all that comes of it; nothing is done with -1. no_new_privs is
 * set. 0 or a negative errno: -E2BIG if there are too many already.
 */
int landlock_lay_on(int ruleset);
