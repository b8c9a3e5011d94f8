/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names lead to an address: the answers that this session was given, each pair of name and
 * address for as long as the answer holds, at least DNS_REMEMBERED_MIN and at most
 * DNS_REMEMBERED_MAX seconds. Programs connect some time after they have asked, and the owners of
 * addresses change more slowly than the TTLs that balance load; using an address makes its time no
 * longer. The pairs lie in the session's memory, outlive a broker, and are never those of another
 * session. A full table forgets what would expire first.
 *
 * Addresses that mean this machine or this link (loopback, link-local, multicast, unspecified,
 * reserved) are not remembered from answers: a name's owner decides where it leads, and must not
 * lead to what listens here because nobody else can reach it.
 *
 * The clock is the caller's; so is the lock: one thread writes, others may read meanwhile only if
 * the caller keeps them apart.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/broker/dns_message.h"
#include "usher/session.h"

#define DNS_REMEMBERED_MIN 300
#define DNS_REMEMBERED_MAX 86400

/* A mapped address becomes its IPv4 address, as in a request to the policy. */
struct dns_address dns_address_canonical(const struct dns_address *address);

/* One of those that are not remembered. */
bool dns_address_is_special(const struct dns_address *address);

/* Remembers that `name` leads to the (canonical) address, by an answer that holds for `ttl`. */
void dns_memory_remember(struct session_memory *memory, const char *name,
	const struct dns_address *address, uint32_t ttl, int64_t now);

/*
 * Writes the names that lead to the (canonical) address into `names`, up to `capacity`; they stay
 * the memory's. How many it wrote.
 */
size_t dns_memory_find(const struct session_memory *memory, const struct dns_address *address,
	int64_t now, const char **names, size_t capacity);
