/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key is what a subject says exactly: protocol, the bits of its prefix and its port, or that it
 * has more than one. A question makes the key of each prefix length that the policy uses, so the
 * lengths are remembered as bits, for each protocol, family and kind of port. Whether a subject of
 * that key matches is then asked of the subject itself: the key only has to find all that may.
 */
#include "daemon/policy/endpoint_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/pattern_index.h"

enum key_kind { KEY_TCP, KEY_UDP, KEY_REST };
enum key_family { FAMILY_ANY, FAMILY_INET, FAMILY_INET6, FAMILIES };
enum key_ports { PORTS_ONE, PORTS_MANY, PORT_KINDS };

#define INTERNET_KINDS KEY_REST

struct key {
	uint8_t kind, family, ports, prefix;
	uint8_t port[2];
	uint8_t address[16];
};
static_assert(sizeof(struct key) == 22, "no byte of a key is padding");

/* Which prefix lengths there are, 0 to 128. */
struct lengths {
	uint64_t words[3];
};

struct endpoint_index {
	const struct endpoint_subject **subjects; /* by order */
	struct key *keys;                         /* by order; unused for paths */
	struct order_table *table;
	struct pattern_index *paths;
	struct lengths lengths[INTERNET_KINDS][FAMILIES][PORT_KINDS];
};

struct endpoint_index *endpoint_index_new(size_t capacity)
{
	struct endpoint_index *index = calloc(1, sizeof(*index));

	if (!index) {
		return NULL;
	}
	index->subjects = calloc(capacity + 1, sizeof(const void *));
	index->keys = calloc(capacity + 1, sizeof(*index->keys));
	index->table = order_table_new(capacity);
	index->paths = pattern_index_new(capacity);
	if (!index->subjects || !index->keys || !index->table || !index->paths) {
		endpoint_index_free(index);
		return NULL;
	}
	return index;
}

void endpoint_index_free(struct endpoint_index *index)
{
	if (index) {
		pattern_index_free(index->paths);
		order_table_free(index->table);
		free(index->keys);
		free(index->subjects);
		free(index);
	}
}

static enum key_family family_of(int family)
{
	return family == AF_INET ? FAMILY_INET : family == AF_INET6 ? FAMILY_INET6 : FAMILY_ANY;
}

static void set_port(struct key *key, uint16_t port)
{
	key->port[0] = (uint8_t)(port >> 8);
	key->port[1] = (uint8_t)port;
}

/* Bits behind the prefix are zero in a subject. */
static struct key key_of(const struct endpoint_subject *subject)
{
	struct key key = {.kind = KEY_REST};

	if (subject->any || (subject->kind != ENDPOINT_TCP && subject->kind != ENDPOINT_UDP)) {
		return key;
	}
	key.kind = subject->kind == ENDPOINT_TCP ? KEY_TCP : KEY_UDP;
	key.family = family_of(subject->family);
	key.ports = subject->port_first == subject->port_last ? PORTS_ONE : PORTS_MANY;
	key.prefix = (uint8_t)subject->prefix;
	if (key.ports == PORTS_ONE) {
		set_port(&key, subject->port_first);
	}
	if (key.family != FAMILY_ANY) {
		memcpy(key.address, subject->address, sizeof(key.address));
	}
	return key;
}

void endpoint_index_add(
	struct endpoint_index *index, size_t order, const struct endpoint_subject *subject)
{
	struct key *key = &index->keys[order];

	index->subjects[order] = subject;
	if (!subject->any && subject->kind == ENDPOINT_UNIX_PATH) {
		pattern_index_add(index->paths, order, subject->pattern);
		return;
	}
	*key = key_of(subject);
	if (key->kind != KEY_REST) {
		index->lengths[key->kind][key->family][key->ports].words[key->prefix / 64] |=
			UINT64_C(1) << key->prefix % 64;
	}
	order_table_add(index->table, order, key, sizeof(*key), order_hash(key, sizeof(*key)));
}

/*
 * A question on its way through the keys; `best` is the lowest order found so far. What it looks
 * for is an address of which `prefix` bits are told, with one port or with several.
 */
struct search {
	const struct endpoint_index *index;
	endpoint_index_test *test;
	const void *user;
	size_t best;
	enum key_kind kind;
	enum key_family family;
	const uint8_t *address;
	unsigned int prefix;
	bool one_port;
	uint16_t port;
};

static void ask_key(struct search *search, const struct key *key)
{
	const struct endpoint_index *index = search->index;
	size_t order =
		order_table_first(index->table, key, sizeof(*key), order_hash(key, sizeof(*key)));

	while (order < search->best && !search->test(index->subjects[order], order, search->user)) {
		order = order_table_next(index->table, order);
	}
	search->best = order < search->best ? order : search->best;
}

static void copy_bits(uint8_t *to, const uint8_t *from, unsigned int bits)
{
	memcpy(to, from, bits / 8);
	if (bits % 8 != 0) {
		to[bits / 8] = from[bits / 8] & (uint8_t)(0xff00u >> bits % 8);
	}
}

static void ask_lengths(struct search *search, enum key_family family, enum key_ports ports)
{
	const struct lengths *lengths = &search->index->lengths[search->kind][family][ports];

	for (unsigned int word = 0; word < array_length(lengths->words); word++) {
		for (uint64_t left = lengths->words[word]; left != 0; left &= left - 1) {
			unsigned int prefix = word * 64 + (unsigned int)__builtin_ctzll(left);
			struct key key = {.kind = (uint8_t)search->kind,
				.family = (uint8_t)family,
				.ports = (uint8_t)ports,
				.prefix = (uint8_t)prefix};

			if (prefix > search->prefix) {
				return;
			}
			if (ports == PORTS_ONE) {
				set_port(&key, search->port);
			}
			copy_bits(key.address, search->address, prefix);
			ask_key(search, &key);
		}
	}
}

static void ask_family(struct search *search, enum key_family family)
{
	ask_lengths(search, family, PORTS_MANY);
	if (search->one_port) {
		ask_lengths(search, family, PORTS_ONE);
	}
}

static void ask_internet(struct search *search)
{
	ask_family(search, FAMILY_ANY);
	if (search->family != FAMILY_ANY) {
		ask_family(search, search->family);
	}
}

struct path_test {
	const struct endpoint_index *index;
	endpoint_index_test *test;
	const void *user;
};

static bool path_passes(const struct pattern *pattern, size_t order, const void *user)
{
	const struct path_test *of = user;

	(void)pattern;
	return of->test(of->index->subjects[order], order, of->user);
}

static void ask_path(struct search *search, const char *path, size_t length)
{
	struct path_test of = {search->index, search->test, search->user};

	search->best = pattern_index_find(
		search->index->paths, path, length, search->best, path_passes, &of);
}

static struct search search_rest(
	const struct endpoint_index *index, endpoint_index_test *test, const void *user)
{
	struct search search = {.index = index, .test = test, .user = user, .best = ORDER_NONE};

	ask_key(&search, &(struct key){.kind = KEY_REST});
	return search;
}

static bool is_internet(enum endpoint_kind kind)
{
	return kind == ENDPOINT_TCP || kind == ENDPOINT_UDP;
}

size_t endpoint_index_find(const struct endpoint_index *index,
	const struct policy_endpoint *endpoint, endpoint_index_test *test, const void *user)
{
	struct search search = search_rest(index, test, user);

	if (endpoint->kind == ENDPOINT_UNIX_PATH) {
		ask_path(&search, endpoint->path, endpoint->path_length);
	} else if (is_internet(endpoint->kind)) {
		search.kind = endpoint->kind == ENDPOINT_TCP ? KEY_TCP : KEY_UDP;
		search.family = family_of(endpoint->family);
		search.address = endpoint->address;
		search.prefix = UINT8_MAX;
		search.one_port = true;
		search.port = endpoint->port;
		ask_internet(&search);
	}
	return search.best;
}

size_t endpoint_index_find_cover(const struct endpoint_index *index,
	const struct endpoint_subject *narrow, endpoint_index_test *test, const void *user)
{
	struct search search = search_rest(index, test, user);
	struct key key = key_of(narrow);
	const char *path;
	size_t length;

	if (key.kind != KEY_REST) {
		search.kind = key.kind;
		search.family = key.family;
		search.address = narrow->address;
		search.prefix = key.prefix;
		search.one_port = key.ports == PORTS_ONE;
		search.port = narrow->port_first;
		ask_internet(&search);
	} else if (!narrow->any && narrow->kind == ENDPOINT_UNIX_PATH) {
		path = pattern_prefix(narrow->pattern, &length);
		ask_path(&search, path, length);
	}
	return search.best;
}
