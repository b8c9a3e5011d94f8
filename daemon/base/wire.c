/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base/wire.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>

#include "daemon/base/cleanup.h"

#define PHASE(phase) (1u << (WIRE_PHASE_##phase))

enum tail_kind {
	TAIL_NONE,
	TAIL_STRINGS, /* wire_hello.tail_size bytes, the last a NUL */
	TAIL_BPF,     /* wire_filter.count instructions, the bytes of three lists of strings */
	TAIL_TEXT,    /* wire_refused.text_size bytes, the last a NUL */
	TAIL_RECORD,  /* wire_decision.text_size bytes, the last a NUL */
};

/* Which packet is legal when, how long it is, and what descriptors it brings. */
static const struct wire_rule {
	unsigned int phases;
	size_t fixed_size;
	enum tail_kind tail;
	size_t fds;        /* always there */
	bool fds_by_flags; /* and one for each of the two lowest flags */
} wire_rules[WIRE_TYPES] = {
	[WIRE_HELLO] = {PHASE(HELLO) | PHASE(LISTENER), sizeof(struct wire_hello), TAIL_STRINGS, 0,
		true},
	[WIRE_FILTER] = {PHASE(FILTER), sizeof(struct wire_filter), TAIL_BPF, 0, false},
	[WIRE_LISTENER] = {PHASE(LISTENER), sizeof(struct wire_listener), TAIL_NONE, 1, false},
	/* Who adopts a broker cannot know whether its READY was read before. */
	[WIRE_READY] = {PHASE(READY) | PHASE(SERVING), sizeof(struct wire_ready), TAIL_NONE, 0,
		false},
	[WIRE_REFUSED] = {PHASE(FILTER) | PHASE(READY) | PHASE(LISTENER) | PHASE(SERVING),
		sizeof(struct wire_refused), TAIL_TEXT, 0, false},
	[WIRE_START] = {PHASE(START), sizeof(struct wire_start), TAIL_NONE, 3, true},
	[WIRE_CHILD] = {PHASE(READY) | PHASE(SERVING), sizeof(struct wire_child), TAIL_NONE, 0,
		false},
	[WIRE_DECISION] = {PHASE(SERVING), sizeof(struct wire_decision), TAIL_RECORD, 0, false},
	[WIRE_POLICY] = {PHASE(SERVED), sizeof(struct wire_policy), TAIL_NONE, 1, false},
	[WIRE_TAKEN] = {PHASE(SERVING), sizeof(struct wire_taken), TAIL_NONE, 0, false},
	[WIRE_SIGNAL] = {PHASE(SERVED), sizeof(struct wire_signal), TAIL_NONE, 0, false},
};
static_assert(sizeof(wire_rules) / sizeof(wire_rules[0]) == WIRE_TYPES, "a rule for each type");
static_assert(sizeof(struct wire_filter) + WIRE_FILTER_MAX * sizeof(struct sock_filter) +
			      WIRE_EXECUTE_MAX + WIRE_GRANTS_MAX + WIRE_GIVEN_SIZE_MAX <=
		      WIRE_PACKET_MAX,
	"the largest FILTER is one packet");
static_assert(WIRE_HELLO_LOG == 1 && WIRE_HELLO_VERBOSE == 2, "two lowest flags bring descriptors");
static_assert(WIRE_START_LOG == 1 && WIRE_START_VERBOSE == 2, "two lowest flags bring descriptors");

static uint32_t flags_of(const void *packet)
{
	const struct wire_header *header = packet;

	return header->type == WIRE_HELLO ? ((const struct wire_hello *)packet)->flags
					  : ((const struct wire_start *)packet)->flags;
}

/* The length of the tail as the packet states it, or a negative errno if that is not possible. */
static int64_t stated_tail(const struct wire_rule *rule, const void *packet)
{
	switch (rule->tail) {
	case TAIL_STRINGS:
		return ((const struct wire_hello *)packet)->tail_size;
	case TAIL_BPF: {
		const struct wire_filter *filter = packet;
		return filter->count > 0 && filter->count <= WIRE_FILTER_MAX &&
				       filter->execute_size <= WIRE_EXECUTE_MAX &&
				       filter->grant_size <= WIRE_GRANTS_MAX &&
				       filter->given_size <= WIRE_GIVEN_SIZE_MAX
			       ? (int64_t)(filter->count * sizeof(struct sock_filter) +
					   filter->execute_size + filter->grant_size +
					   filter->given_size)
			       : -EPROTO;
	}
	case TAIL_TEXT: {
		uint32_t length = ((const struct wire_refused *)packet)->text_size;
		return length > 0 && length <= WIRE_TEXT_MAX ? (int64_t)length : -EPROTO;
	}
	case TAIL_RECORD: {
		uint32_t length = ((const struct wire_decision *)packet)->text_size;
		return length > 0 && length <= WIRE_RECORD_MAX ? (int64_t)length : -EPROTO;
	}
	case TAIL_NONE:
		break;
	}
	return 0;
}

/* The strings are as many as the packet says, and fill their part of it. */
static bool has_strings(struct string_pack pack)
{
	size_t count = 0;

	for (size_t i = 0; i < pack.size; i++) {
		count += pack.text[i] == '\0';
	}
	return count == pack.count && (pack.size == 0 || pack.text[pack.size - 1] == '\0');
}

static bool has_its_strings(const struct wire_filter *filter)
{
	return has_strings(wire_filter_execute(filter)) &&
	       has_strings(wire_filter_grants(filter)) && has_strings(wire_filter_given(filter)) &&
	       (filter->landlock >> (sizeof(WIRE_GRANT_LETTERS) - 1)) == 0;
}

static bool strings_are_whole(const struct wire_rule *rule, const void *packet, size_t size)
{
	if (rule->tail == TAIL_BPF) {
		return has_its_strings(packet);
	}
	return rule->tail == TAIL_NONE || ((const char *)packet)[size - 1] == '\0';
}

int wire_check(enum wire_phase phase, const void *packet, size_t size, size_t fd_count)
{
	const struct wire_header *header = packet;

	if (size < sizeof(*header) || header->magic != WIRE_MAGIC) {
		return -EPROTO;
	}
	if (header->version != WIRE_VERSION) {
		return -EPROTONOSUPPORT;
	}
	if (header->size != size || header->reserved != 0 || header->type >= WIRE_TYPES) {
		return -EPROTO;
	}
	const struct wire_rule *rule = &wire_rules[header->type];
	if (!(rule->phases & (1u << phase)) || size < rule->fixed_size) {
		return -EPROTO;
	}
	int64_t tail = stated_tail(rule, packet);
	if (tail < 0 || size != rule->fixed_size + (size_t)tail) {
		return -EPROTO;
	}
	size_t fds = rule->fds;
	if (rule->fds_by_flags) {
		fds += (size_t)__builtin_popcount(flags_of(packet) & 3u);
	}
	if (header->type == WIRE_START) {
		fds += ((const struct wire_start *)packet)->given_count;
	} else if (header->type == WIRE_LISTENER) {
		fds += ((const struct wire_listener *)packet)->given_count;
	}
	return fds == fd_count && strings_are_whole(rule, packet, size) ? 0 : -EPROTO;
}

enum wire_type wire_type_of(const void *packet)
{
	return (enum wire_type)((const struct wire_header *)packet)->type;
}

struct wire_header wire_header_make(enum wire_type type, size_t size)
{
	return (struct wire_header){.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.type = (uint16_t)type,
		.size = (uint32_t)size};
}

size_t wire_filter_make(void *packet, const struct wire_filter_parts *parts)
{
	const struct string_pack *packs[] = {&parts->execute, &parts->grants, &parts->given};
	size_t instructions = parts->count * sizeof(struct sock_filter);
	size_t size = sizeof(struct wire_filter) + instructions + parts->execute.size +
		      parts->grants.size + parts->given.size;
	struct wire_filter filter = {.header = wire_header_make(WIRE_FILTER, size),
		.count = (uint32_t)parts->count,
		.seccomp_flags = parts->seccomp_flags,
		.execute_count = (uint32_t)parts->execute.count,
		.execute_size = (uint32_t)parts->execute.size,
		.network = parts->network,
		.landlock = parts->landlock,
		.grant_count = (uint32_t)parts->grants.count,
		.grant_size = (uint32_t)parts->grants.size,
		.given_count = (uint16_t)parts->given.count,
		.given_size = (uint16_t)parts->given.size};
	char *tail = (char *)packet + sizeof(filter);

	memcpy(packet, &filter, sizeof(filter));
	tail = mempcpy(tail, parts->instructions, instructions);
	for (size_t i = 0; i < array_length(packs); i++) {
		if (packs[i]->size > 0) {
			tail = mempcpy(tail, packs[i]->text, packs[i]->size);
		}
	}
	return size;
}

size_t wire_decision_make(void *packet, const char *record)
{
	size_t length = strlen(record);
	size_t size = sizeof(struct wire_decision) + length;
	struct wire_decision decision = {
		.header = wire_header_make(WIRE_DECISION, size), .text_size = (uint32_t)length};

	if (length == 0 || length > WIRE_RECORD_MAX) {
		return 0;
	}
	memcpy(packet, &decision, sizeof(decision));
	memcpy((char *)packet + sizeof(decision), record, length - 1);
	((char *)packet)[size - 1] = '\0';
	return size;
}

/* At the end: what may be executed, the grants, the names of what is given. */
struct string_pack wire_filter_given(const struct wire_filter *filter)
{
	const char *end = (const char *)filter + filter->header.size;

	return (struct string_pack){
		end - filter->given_size, filter->given_size, filter->given_count};
}

struct string_pack wire_filter_grants(const struct wire_filter *filter)
{
	const char *end = wire_filter_given(filter).text;

	return (struct string_pack){
		end - filter->grant_size, filter->grant_size, filter->grant_count};
}

struct string_pack wire_filter_execute(const struct wire_filter *filter)
{
	const char *end = wire_filter_grants(filter).text;

	return (struct string_pack){
		end - filter->execute_size, filter->execute_size, filter->execute_count};
}

size_t wire_refused_make(void *packet, int error, const char *text)
{
	size_t length = strnlen(text, WIRE_TEXT_MAX - 1);
	size_t size = sizeof(struct wire_refused) + length + 1;
	struct wire_refused refused = {.header = wire_header_make(WIRE_REFUSED, size),
		.error = error,
		.text_size = (uint32_t)length + 1};

	memcpy(packet, &refused, sizeof(refused));
	memcpy((char *)packet + sizeof(refused), text, length);
	((char *)packet)[size - 1] = '\0';
	return size;
}

/* The next string of the tail, or NULL at its end. The last byte is known to be a NUL. */
static const char *next_string(const char **cursor, const char *end)
{
	const char *string = *cursor;

	if (string >= end) {
		return NULL;
	}
	*cursor = string + strlen(string) + 1;
	return string;
}

int wire_hello_read(const void *packet, struct wire_hello_strings *strings)
{
	const struct wire_hello *hello = packet;
	const char *cursor = (const char *)packet + sizeof(*hello);
	const char *end = cursor + hello->tail_size;

	if (hello->set_count > WIRE_SETS_MAX) {
		return -EPROTO;
	}
	strings->set_count = hello->set_count;
	strings->network = hello->network;
	strings->offers_landlock = (hello->flags & WIRE_HELLO_LANDLOCK) != 0;
	strings->policy = next_string(&cursor, end);
	strings->command = next_string(&cursor, end);
	for (size_t i = 0; i < hello->set_count; i++) {
		strings->sets[i] = next_string(&cursor, end);
		if (!strings->sets[i] || !strchr(strings->sets[i], '=')) {
			return -EPROTO;
		}
	}
	return strings->command && cursor == end && hello->network < WIRE_NETWORKS ? 0 : -EPROTO;
}
