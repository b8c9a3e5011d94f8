/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use which policy. A pure function of the configuration and of what the kernel says about
 * the client:
 *
 *   daemon of root   root may use every policy; others what some [grant] gives to them
 *   daemon of a user this user, with the groups that the daemon has, may use every policy; nobody
 *                    else any: the daemon could not act for them
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct config;
struct peer;

/* Why not, for people; NULL if the client may. `self` is the daemon as a peer of its own. */
const char *authorise(const struct config *config, const struct peer *self, const struct peer *peer,
	const char *policy);

/* True for what can be the name of a policy in a directory: no path, no hidden file. */
bool authorise_is_policy_name(const char *name);
