/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules about reading of a FILTER's grants, where a policy leaves that to the kernel (see
 * daemon/policy/reading.h). They do not suit this machine if
 *
 *   a file that is denied is there, and Landlock could not deny it, or not with this errno. What
 * its user may not open anyway is no matter; a procfs lies in what is granted, but for /proc
 * itself.
 *
 * What else is not there is not granted, also if it comes later.
 */
#pragma once

#include "client/landlock_grants.h"

struct procfs_mounts;

struct landlock_reading {
	const struct procfs_mounts *procfs; /* where each lies */
	landlock_allow *allow;              /* NULL: only looks */
	void *user;
	bool shows_processes; /* of the result: /proc is granted */
	char *reason;         /* LANDLOCK_REASON_MAX */
};

/* An enum landlock_suits with the reason, or a negative errno. */
int landlock_reading_visit(struct landlock_reading *reading, const struct string_pack *rules);
