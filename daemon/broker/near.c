/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/near.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>

#include "daemon/policy/order_table.h"
#include "daemon/policy/policy.h"

#define PLACES  256
#define NEAR_NS 300000u

static _Atomic uint64_t places[PLACES]; /* hashes of what is near */

static uint64_t hash_of(const struct policy_endpoint *endpoint)
{
	size_t length = endpoint->family == AF_INET ? 4 : 16;

	return order_hash(endpoint->address, length) + endpoint->port;
}

bool near_is(const struct policy_endpoint *endpoint)
{
	uint64_t hash = hash_of(endpoint);

	return atomic_load_explicit(&places[hash % PLACES], memory_order_relaxed) == hash;
}

void near_note(const struct policy_endpoint *endpoint, uint64_t ns)
{
	uint64_t hash = hash_of(endpoint);
	_Atomic uint64_t *place = &places[hash % PLACES];

	if (ns < NEAR_NS) {
		atomic_store_explicit(place, hash, memory_order_relaxed);
	} else {
		(void)atomic_compare_exchange_strong(place, &hash, 0);
	}
}
