/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/authorise.h"

#include <fnmatch.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/peer.h"

#define NAME_LENGTH_MAX 128

static bool grant_is_for(const struct grant *grant, const struct peer *peer)
{
	for (size_t i = 0; i < grant->user_count; i++) {
		if (grant->users[i] == peer->uid) {
			return true;
		}
	}
	for (size_t i = 0; i < grant->group_count; i++) {
		if (peer_has_group(peer, grant->groups[i])) {
			return true;
		}
	}
	return grant->any_user;
}

static bool grant_gives(const struct grant *grant, const char *policy)
{
	for (size_t i = 0; i < grant->policy_count; i++) {
		if (fnmatch(grant->policies[i], policy, 0) == 0) {
			return true;
		}
	}
	return false;
}

static const char *ask_grants(
	const struct config *config, const struct peer *peer, const char *policy)
{
	bool has_grant = false;

	for (size_t i = 0; i < config->grant_count; i++) {
		const struct grant *grant = &config->grants[i];
		if (!grant_is_for(grant, peer)) {
			continue;
		}
		if (grant_gives(grant, policy)) {
			return NULL;
		}
		has_grant = true;
	}
	return has_grant ? "no grant gives this policy to you"
			 : "no grant is made to you or to one of your groups";
}

static bool has_all_groups(const struct peer *peer, const struct peer *other)
{
	for (size_t i = 0; i < other->group_count; i++) {
		if (!peer_has_group(peer, other->groups[i])) {
			return false;
		}
	}
	return peer_has_group(peer, other->gid);
}

/* A broker of a user's daemon can be nobody but the daemon: more groups would be lent, fewer
 * missed. */
static const char *ask_identity(const struct peer *self, const struct peer *peer)
{
	if (self->uid != peer->uid) {
		return "this usherd is another user's own";
	}
	if (self->gid != peer->gid || !has_all_groups(self, peer) || !has_all_groups(peer, self)) {
		return "your groups are not those that your usherd was started with";
	}
	return NULL;
}

const char *authorise(const struct config *config, const struct peer *self, const struct peer *peer,
	const char *policy)
{
	if (self->uid != 0) {
		return ask_identity(self, peer);
	}
	return peer->uid == 0 ? NULL : ask_grants(config, peer, policy);
}

bool authorise_is_policy_name(const char *name)
{
	size_t length = strnlen(name, NAME_LENGTH_MAX + 1);

	return length > 0 && length <= NAME_LENGTH_MAX && name[0] != '.' && !strchr(name, '/');
}
