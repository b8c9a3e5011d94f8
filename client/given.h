/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets that a policy gives by their names (`inject bind = ... -> fd NAME`), found as
 * sd_listen_fds(3) says: those that whoever started us has opened and named. They go to the
 * supervisor with the listener, and are not the program's to inherit any more.
 */
#pragma once

#include "daemon/base/string_pack.h"

/* How many have been passed to this very process; a child of ours has them as well. */
int given_passed(void);

/*
 * Fills in the descriptors of the names. 0, or a negative errno:
 * -ENOENT with the name that is missing in `*missing`.
 */
int given_find(int passed, struct string_pack names, int *fds, const char **missing);
