/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the system's resolver, for as long as they hold: also that there is none. One answer a
 * place, and the place of a question is its hash: who asks for very many names asks again. Of the
 * main thread; the clock is the caller's.
 */
#pragma once

#include "daemon/broker/dns_message.h"

#define DNS_CACHE_PLACES     128u
#define DNS_CACHE_TTL_MAX    3600u
#define DNS_CACHE_ABSENT_MAX 60u

struct dns_cached;

struct dns_cache {
	struct dns_cached *places[DNS_CACHE_PLACES];
};

/* Keeps a copy; an answer that is about no name (a failure) is not kept. */
void dns_cache_put(struct dns_cache *cache, const char *name, int type,
	const struct dns_answer *answer, int64_t now);

/* NULL if there is none; else a copy with what is left of its TTL, in `answer`, and that. */
const struct dns_answer *dns_cache_find(const struct dns_cache *cache, const char *name, int type,
	int64_t now, struct dns_answer *answer);

void dns_cache_finish(struct dns_cache *cache);
