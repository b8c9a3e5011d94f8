/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another policy for a session that runs. What threads share is never changed, so it is made again
 * with the other policy and put in the place of the one before, between two notifications: a call
 * is served from its receipt to its answer by the one that it began with. The one before, with its
 * policy, is freed when no call that began with it is under way; nobody waits for that, and nobody
 * pays for it but the one who takes a new policy.
 */
#pragma once

#include "daemon/broker/broker.h"

struct uv_loop_s;

struct follow {
	struct uv_loop_s *loop;
	const struct broker *first;   /* not ours to free; its policy is */
	const struct broker *current; /* what calls begin with now */
};

/*
 * Takes the snapshot, which stays the caller's. 0 or a negative errno: -ENOMEM, -EBADMSG (not a
 * snapshot), with everything as it was.
 */
int follow_policy(struct follow *follow, int snapshot);
