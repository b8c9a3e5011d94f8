/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/dns_cache.h"

#include <stdlib.h>
#include <string.h>

struct dns_cached {
	char name[POLICY_NAME_MAX + 1];
	int type;
	int64_t until;
	struct dns_answer answer;
};

/* FNV-1a: whoever makes names collide makes himself wait. */
static size_t place_of(const char *name, int type)
{
	uint32_t hash = 2166136261u ^ (uint32_t)type;

	for (const char *c = name; *c; c++) {
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	}
	return hash % DNS_CACHE_PLACES;
}

static uint32_t time_of(const struct dns_answer *answer)
{
	bool is_there = answer->address_count > 0 || answer->records.count > 0;
	uint32_t longest = is_there ? DNS_CACHE_TTL_MAX : DNS_CACHE_ABSENT_MAX;

	return answer->ttl < longest ? answer->ttl : longest;
}

void dns_cache_put(struct dns_cache *cache, const char *name, int type,
	const struct dns_answer *answer, int64_t now)
{
	struct dns_cached **place = &cache->places[place_of(name, type)];
	uint32_t held = time_of(answer);

	if (held == 0 || (answer->code != ns_r_noerror && answer->code != ns_r_nxdomain)) {
		return;
	}
	if (!*place) {
		*place = malloc(sizeof(**place));
	}
	if (!*place) {
		return;
	}
	memcpy((*place)->name, name, strlen(name) + 1);
	(*place)->type = type;
	(*place)->until = now + held;
	(*place)->answer = *answer;
}

const struct dns_answer *dns_cache_find(const struct dns_cache *cache, const char *name, int type,
	int64_t now, struct dns_answer *answer)
{
	const struct dns_cached *cached = cache->places[place_of(name, type)];

	if (!cached || cached->type != type || cached->until <= now ||
		strcmp(cached->name, name) != 0) {
		return NULL;
	}
	*answer = cached->answer;
	answer->ttl = (uint32_t)(cached->until - now);
	return answer;
}

void dns_cache_finish(struct dns_cache *cache)
{
	for (size_t i = 0; i < DNS_CACHE_PLACES; i++) {
		free(cache->places[i]);
		cache->places[i] = NULL;
	}
}
