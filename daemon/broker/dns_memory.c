/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/dns_memory.h"

#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"

struct prefix {
	int family;
	unsigned int bits;
	uint8_t bytes[16];
};

/* RFC 6890, as far as it is about this machine, its link, or nobody. */
static const struct prefix special[] = {
	{AF_INET, 8, {0}},
	{AF_INET, 8, {127}},
	{AF_INET, 16, {169, 254}},
	{AF_INET, 3, {224}},  /* multicast, reserved, broadcast */
	{AF_INET6, 127, {0}}, /* unspecified and loopback */
	{AF_INET6, 10, {0xfe, 0x80}},
	{AF_INET6, 8, {0xff}},
};

/* IPv4 in IPv6: mapped, and as a translator of the network takes it (RFC 6052). */
static const struct prefix mapped = {AF_INET6, 96, {[10] = 0xff, [11] = 0xff}};
static const struct prefix translated = {AF_INET6, 96, {0, 0x64, 0xff, 0x9b}};

static bool is_in(const struct dns_address *address, const struct prefix *prefix)
{
	unsigned int whole = prefix->bits / 8, rest = prefix->bits % 8;
	unsigned int mask = rest ? 0xffu & (0xff00u >> rest) : 0;

	return address->family == prefix->family &&
	       memcmp(address->bytes, prefix->bytes, whole) == 0 &&
	       (mask == 0 || ((address->bytes[whole] ^ prefix->bytes[whole]) & mask) == 0);
}

static struct dns_address ipv4_inside(const struct dns_address *address)
{
	struct dns_address inside = {.family = AF_INET};

	memcpy(inside.bytes, address->bytes + 12, 4);
	return inside;
}

struct dns_address dns_address_canonical(const struct dns_address *address)
{
	return is_in(address, &mapped) ? ipv4_inside(address) : *address;
}

bool dns_address_is_special(const struct dns_address *address)
{
	if (is_in(address, &mapped) || is_in(address, &translated)) {
		struct dns_address inside = ipv4_inside(address);
		return dns_address_is_special(&inside);
	}
	for (size_t i = 0; i < array_length(special); i++) {
		if (is_in(address, &special[i])) {
			return true;
		}
	}
	return false;
}

static bool is_of(const struct session_host *entry, const struct dns_address *address)
{
	return entry->family == (uint32_t)address->family &&
	       memcmp(entry->address, address->bytes, sizeof(entry->address)) == 0;
}

static uint32_t count_of(const struct session_memory *memory)
{
	uint32_t count = atomic_load(&memory->host_count);

	return count < SESSION_HOSTS ? count : SESSION_HOSTS;
}

/* That of the same pair, one that was never taken, or the first to expire. */
static struct session_host *choose(
	struct session_memory *memory, const char *name, const struct dns_address *address)
{
	uint32_t count = count_of(memory);
	struct session_host *oldest = &memory->hosts[0];

	for (uint32_t i = 0; i < count; i++) {
		struct session_host *entry = &memory->hosts[i];

		if (is_of(entry, address) && strcmp(entry->name, name) == 0) {
			return entry;
		}
		if (atomic_load(&entry->until) < atomic_load(&oldest->until)) {
			oldest = entry;
		}
	}
	if (count < SESSION_HOSTS) {
		atomic_store(&memory->host_count, count + 1);
		return &memory->hosts[count];
	}
	return oldest;
}

void dns_memory_remember(struct session_memory *memory, const char *name,
	const struct dns_address *address, uint32_t ttl, int64_t now)
{
	struct session_host *entry = choose(memory, name, address);
	int64_t held = ttl < DNS_REMEMBERED_MIN   ? DNS_REMEMBERED_MIN
		       : ttl > DNS_REMEMBERED_MAX ? DNS_REMEMBERED_MAX
						  : (int64_t)ttl;
	int64_t until = now + held;

	if (is_of(entry, address) && strcmp(entry->name, name) == 0) {
		/* An answer of before may hold for longer. */
		until = until > atomic_load(&entry->until) ? until : atomic_load(&entry->until);
	}
	/* Whoever kills us in between leaves an entry that is free. */
	atomic_store(&entry->until, 0);
	entry->family = (uint32_t)address->family;
	memcpy(entry->address, address->bytes, sizeof(entry->address));
	strncpy(entry->name, name, sizeof(entry->name) - 1);
	atomic_store(&entry->until, until);
}

size_t dns_memory_find(const struct session_memory *memory, const struct dns_address *address,
	int64_t now, const char **names, size_t capacity)
{
	uint32_t count = count_of(memory);
	size_t found = 0;

	for (uint32_t i = 0; i < count && found < capacity; i++) {
		const struct session_host *entry = &memory->hosts[i];

		if (atomic_load(&entry->until) > now && is_of(entry, address)) {
			names[found++] = entry->name;
		}
	}
	return found;
}
