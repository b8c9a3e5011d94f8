/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets that a policy gives by their names (`inject bind = ... -> fd NAME`), found as
 * sd_listen_fds(3) says: those that whoever started us has opened and named.
 */
#pragma once

#include <stddef.h>

struct policy;

/*
 * Fills in the descriptors in the order in which the policy names them, WIRE_GIVEN_MAX at most;
 * they are not the program's to inherit any more. 0, or a negative errno, told on stderr.
 */
int given_find(const struct policy *policy, int *fds, size_t *countp);
