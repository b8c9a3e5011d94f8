/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many of something there are, per user and in all, held against two limits. Connections in
 * their hand-over and sessions are counted so; who enters must leave.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct tally_user {
	uid_t uid;
	unsigned int count;
};

struct tally {
	struct tally_user *users; /* those with a count above zero, in no order */
	size_t user_count, user_room;
	unsigned int total;
};

struct tally_limits {
	unsigned int per_user, total;
};

/* 0 or a negative errno: -EUSERS (this user has enough), -ENOSPC (all have), -ENOMEM. */
int tally_enter(struct tally *tally, uid_t uid, struct tally_limits limits);
void tally_leave(struct tally *tally, uid_t uid);
void tally_finish(struct tally *tally);
