/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing and looking at names, by every call and every road. The victims are, in dirS and (for
 * the twin) in dirA: `victim`, a file with an attribute user.mark; `sub`, an empty directory;
 * `lnk`, a link; and `new`, which does not exist. run.py makes them.
 */
#pragma once

#include "tests/attacks/attack.h"

enum victim { VICTIM_FILE, VICTIM_DIRECTORY, VICTIM_LINK, VICTIM_NEW };

struct change {
	const char *name;
	enum victim victim;
	long (*make)(int dirfd, const char *path);
	bool has_dirfd;
	bool follows; /* a link that is the last component */
};

/* Ended by a NULL name. */
extern const struct change changes[];

/* Tries the change that the world's attack is named after. */
long change_by_every_road(const struct world *world);

/* The victim's name in its directory. */
const char *victim_name(enum victim victim);
/* Puts back, natively and for the twin, what the last try has changed. */
void victims_restore(const struct world *world);
