/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/dns_records.h"

#include <errno.h>
#include <resolv.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/policy.h"

/* What stands in front of the name: preference; priority, weight and port; nothing but text. */
static const struct kind {
	int type;
	size_t numbers;
	bool is_text;
} kinds[] = {
	{ns_t_mx, 2, false},
	{ns_t_srv, 6, false},
	{ns_t_txt, 0, true},
};

static const struct kind *kind_of(int type)
{
	for (size_t i = 0; i < array_length(kinds); i++) {
		if (kinds[i].type == type) {
			return &kinds[i];
		}
	}
	return NULL;
}

bool dns_records_are_of(int type)
{
	return kind_of(type) != NULL;
}

/* Texts of at most 255 bytes, each behind its length, and no byte beside them. */
static bool is_text(const uint8_t *data, size_t size)
{
	size_t next = 0;

	while (next < size) {
		next += 1u + data[next];
	}
	return size > 0 && next == size;
}

static int add(struct dns_records *records, const uint8_t *data, size_t size)
{
	uint8_t *to = records->bytes + records->size;

	if (NS_INT16SZ + size > sizeof(records->bytes) - records->size) {
		return -E2BIG;
	}
	ns_put16((unsigned int)size, to);
	memcpy(to + NS_INT16SZ, data, size);
	records->size += NS_INT16SZ + size;
	records->count++;
	return 0;
}

/* The name on the wire, in full. 0 if it is no host's. The root means that there is none. */
static size_t spell(const char *text, uint8_t *to, size_t room)
{
	char name[POLICY_NAME_MAX + 1] = "";

	if (text[0] && policy_canonical_name(name, text) < 0) {
		return 0;
	}
	int size = dn_comp(name, to, (int)room, NULL, NULL);
	return size < 0 ? 0 : (size_t)size;
}

static int add_name(
	struct dns_records *records, ns_msg *message, const ns_rr *record, size_t numbers)
{
	const uint8_t *name = ns_rr_rdata(*record) + numbers;
	uint8_t data[6 + NS_MAXCDNAME];
	char text[NS_MAXDNAME];

	if (ns_rr_rdlen(*record) <= numbers) {
		return -EBADMSG;
	}
	int length =
		dn_expand(ns_msg_base(*message), ns_msg_end(*message), name, text, sizeof(text));
	if (length < 0 || (size_t)length != ns_rr_rdlen(*record) - numbers) {
		return -EBADMSG;
	}
	memcpy(data, ns_rr_rdata(*record), numbers);
	size_t size = spell(text, data + numbers, sizeof(data) - numbers);
	return size == 0 ? 0 : add(records, data, numbers + size);
}

int dns_records_add(struct dns_records *records, ns_msg *message, const ns_rr *record)
{
	const struct kind *kind = kind_of((int)ns_rr_type(*record));

	if (!kind) {
		return -EBADMSG;
	}
	if (!kind->is_text) {
		return add_name(records, message, record, kind->numbers);
	}
	return is_text(ns_rr_rdata(*record), ns_rr_rdlen(*record))
		       ? add(records, ns_rr_rdata(*record), ns_rr_rdlen(*record))
		       : -EBADMSG;
}

const uint8_t *dns_records_next(
	const struct dns_records *records, const uint8_t *data, size_t *size)
{
	const uint8_t *next = data ? data + ns_get16(data - NS_INT16SZ) : records->bytes;

	if (next >= records->bytes + records->size) {
		return NULL;
	}
	*size = ns_get16(next);
	return next + NS_INT16SZ;
}
