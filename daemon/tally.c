/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/tally.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static struct tally_user *find(struct tally *tally, uid_t uid)
{
	for (size_t i = 0; i < tally->user_count; i++) {
		if (tally->users[i].uid == uid) {
			return &tally->users[i];
		}
	}
	return NULL;
}

static struct tally_user *find_or_add(struct tally *tally, uid_t uid)
{
	struct tally_user *user = find(tally, uid);

	if (user) {
		return user;
	}
	if (tally->user_count == tally->user_room) {
		size_t room = tally->user_room ? 2 * tally->user_room : 8;
		void *grown = reallocarray(tally->users, room, sizeof(*tally->users));
		if (!grown) {
			return NULL;
		}
		tally->users = grown;
		tally->user_room = room;
	}
	user = &tally->users[tally->user_count++];
	*user = (struct tally_user){.uid = uid};
	return user;
}

int tally_enter(struct tally *tally, uid_t uid, struct tally_limits limits)
{
	struct tally_user *user = find(tally, uid);

	if (tally->total >= limits.total) {
		return -ENOSPC;
	}
	if ((user ? user->count : 0) >= limits.per_user) {
		return -EUSERS;
	}
	user = find_or_add(tally, uid);
	if (!user) {
		return -ENOMEM;
	}
	user->count++;
	tally->total++;
	return 0;
}

void tally_leave(struct tally *tally, uid_t uid)
{
	struct tally_user *user = find(tally, uid);

	assert(user && user->count > 0 && tally->total > 0);
	tally->total--;
	if (--user->count == 0) {
		*user = tally->users[--tally->user_count];
	}
}

void tally_finish(struct tally *tally)
{
	free(tally->users);
	*tally = (struct tally){0};
}
