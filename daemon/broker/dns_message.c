/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/dns_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What we take by datagram, whatever somebody offers: more is cut into fragments. */
#define EDNS_ROOM 1232u
#define FLAG_QR   0x8000u
#define FLAG_TC   0x0200u
#define FLAG_RD   0x0100u
#define FLAG_RA   0x0080u

/* ---- questions ---- */

/* The OPT record of RFC 6891 is one of the additional ones; its class is the room. */
static void read_edns(struct dns_question *question, ns_msg *message)
{
	ns_rr record;

	for (int i = 0; i < ns_msg_count(*message, ns_s_ar); i++) {
		if (ns_parserr(message, ns_s_ar, i, &record) == 0 &&
			ns_rr_type(record) == ns_t_opt) {
			size_t room = (size_t)ns_rr_class(record);

			question->has_edns = true;
			question->room = room < NS_PACKETSZ ? NS_PACKETSZ
					 : room > EDNS_ROOM ? EDNS_ROOM
							    : room;
		}
	}
}

static int read_name(struct dns_question *question, ns_msg *message)
{
	const uint8_t *begin = ns_msg_base(*message) + NS_HFIXEDSZ;
	ns_rr record;

	if (ns_parserr(message, ns_s_qd, 0, &record) < 0) {
		return ns_r_formerr;
	}
	int length = dn_skipname(begin, ns_msg_end(*message));
	if (length < 0 || (size_t)length + NS_QFIXEDSZ > sizeof(question->echo)) {
		return ns_r_formerr;
	}
	question->echo_size = (size_t)length + NS_QFIXEDSZ;
	memcpy(question->echo, begin, question->echo_size);
	question->type = ns_rr_type(record);
	(void)snprintf(question->asked, sizeof(question->asked), "%s", ns_rr_name(record));
	if (ns_rr_class(record) != ns_c_in) {
		return ns_r_refused;
	}
	if (policy_canonical_name(question->name, question->asked) < 0) {
		question->name[0] = '\0';
		return ns_r_nxdomain;
	}
	return 0;
}

int dns_question_read(struct dns_question *question, const uint8_t *bytes, size_t size)
{
	ns_msg message;

	memset(question, 0, sizeof(*question));
	question->room = NS_PACKETSZ;
	if (size < NS_HFIXEDSZ || size > DNS_MESSAGE_MAX || (bytes[2] & (FLAG_QR >> 8))) {
		return -EBADMSG;
	}
	question->id = ns_get16(bytes);
	question->recursion_desired = bytes[2] & (FLAG_RD >> 8);
	if (((bytes[2] >> 3) & 0xf) != ns_o_query) {
		return ns_r_notimpl;
	}
	if (ns_initparse(bytes, (int)size, &message) < 0 || ns_msg_count(message, ns_s_qd) != 1) {
		return ns_r_formerr;
	}
	read_edns(question, &message);
	return read_name(question, &message);
}

/* "4.3.2.1", or 32 hexadecimal digits with dots, the last byte first. */
static bool read_parts(const char *name, unsigned int base, unsigned int count, uint8_t *parts)
{
	for (unsigned int i = 0; i < count; i++) {
		char *end;
		unsigned long value = strtoul(name, &end, (int)base);

		if (end == name || end - name > 3 || *end != '.' ||
			value > (base == 16 ? 15 : 255)) {
			return false;
		}
		parts[count - 1 - i] = (uint8_t)value;
		name = end + 1;
	}
	return strcmp(name, base == 16 ? "ip6.arpa" : "in-addr.arpa") == 0;
}

bool dns_read_reverse(const char *name, struct dns_address *address)
{
	uint8_t nibbles[32];

	memset(address, 0, sizeof(*address));
	if (read_parts(name, 10, NS_INADDRSZ, nibbles)) {
		address->family = AF_INET;
		memcpy(address->bytes, nibbles, NS_INADDRSZ);
		return true;
	}
	if (!read_parts(name, 16, sizeof(nibbles), nibbles)) {
		return false;
	}
	address->family = AF_INET6;
	for (size_t i = 0; i < sizeof(nibbles); i++) {
		address->bytes[i / 2] |= (uint8_t)(nibbles[i] << (i % 2 ? 0 : 4));
	}
	return true;
}

/* ---- answers ---- */

const char *dns_next_alias(const struct dns_answer *answer, const char *alias)
{
	const char *next = alias ? alias + strlen(alias) + 1 : answer->aliases;

	return next < answer->aliases + answer->aliases_size ? next : NULL;
}

int dns_add_alias(struct dns_answer *answer, const char *name)
{
	size_t size = strlen(name) + 1;

	if (answer->alias_count == DNS_ALIASES_MAX ||
		answer->aliases_size + size > sizeof(answer->aliases)) {
		return -E2BIG;
	}
	memcpy(answer->aliases + answer->aliases_size, name, size);
	answer->aliases_size += size;
	answer->alias_count++;
	return 0;
}

bool dns_add_address(struct dns_answer *answer, int family, const void *bytes)
{
	struct dns_address *address = &answer->addresses[answer->address_count];

	if (answer->address_count == DNS_ADDRESSES_MAX) {
		return false;
	}
	*address = (struct dns_address){.family = family};
	memcpy(address->bytes, bytes,
		family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr));
	answer->address_count++;
	return true;
}

static void lower_ttl(struct dns_answer *answer, uint32_t ttl)
{
	answer->ttl = ttl < answer->ttl ? ttl : answer->ttl;
}

/* Is the record one about `name`, of this type and of the internet? */
static bool is_about(const ns_rr *record, const char *name, int type)
{
	char owner[POLICY_NAME_MAX + 1];

	return (int)ns_rr_type(*record) == type && ns_rr_class(*record) == ns_c_in &&
	       policy_canonical_name(owner, ns_rr_name(*record)) == 0 && strcmp(owner, name) == 0;
}

/* The alias of `name`: 0, -ENOENT if it has none, or -EBADMSG. */
static int find_alias(struct dns_answer *answer, ns_msg *message, const char *name,
	char alias[POLICY_NAME_MAX + 1])
{
	char text[NS_MAXDNAME];
	ns_rr record;

	for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
		if (ns_parserr(message, ns_s_an, i, &record) < 0) {
			return -EBADMSG;
		}
		if (!is_about(&record, name, ns_t_cname)) {
			continue;
		}
		lower_ttl(answer, ns_rr_ttl(record));
		return dn_expand(ns_msg_base(*message), ns_msg_end(*message), ns_rr_rdata(record),
			       text, sizeof(text)) < 0 ||
				       policy_canonical_name(alias, text) < 0
			       ? -EBADMSG
			       : 0;
	}
	return -ENOENT;
}

/* Leaves the end of the chain in `name`. A chain that goes round is too long. */
static int follow_aliases(
	struct dns_answer *answer, ns_msg *message, char name[POLICY_NAME_MAX + 1])
{
	char alias[POLICY_NAME_MAX + 1];
	int error;

	while ((error = find_alias(answer, message, name, alias)) == 0) {
		if (dns_add_alias(answer, alias) < 0) {
			return -EBADMSG;
		}
		memcpy(name, alias, sizeof(alias));
	}
	return error == -ENOENT ? 0 : error;
}

/* An address that has no room is left out: the rest can do without. */
static int add_address(struct dns_answer *answer, ns_rr *record, int type)
{
	unsigned int size = type == ns_t_a ? NS_INADDRSZ : NS_IN6ADDRSZ;

	if (ns_rr_rdlen(*record) != size) {
		return -EBADMSG;
	}
	(void)dns_add_address(answer, type == ns_t_a ? AF_INET : AF_INET6, ns_rr_rdata(*record));
	return 0;
}

/* All of `type` about `name`. */
static int read_records(struct dns_answer *answer, ns_msg *message, const char *name, int type)
{
	ns_rr record;

	for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
		if (ns_parserr(message, ns_s_an, i, &record) < 0) {
			return -EBADMSG;
		}
		if (!is_about(&record, name, type)) {
			continue;
		}
		lower_ttl(answer, ns_rr_ttl(record));
		int error = answer->type ? dns_records_add(&answer->records, message, &record)
					 : add_address(answer, &record, type);
		if (error < 0) {
			return -EBADMSG;
		}
	}
	return 0;
}

/* How long "there is none" holds (RFC 2308). */
static void read_negative_ttl(struct dns_answer *answer, ns_msg *message)
{
	ns_rr record;

	for (int i = 0; i < ns_msg_count(*message, ns_s_ns); i++) {
		if (ns_parserr(message, ns_s_ns, i, &record) < 0 ||
			ns_rr_type(record) != ns_t_soa || ns_rr_rdlen(record) < NS_INT32SZ) {
			continue;
		}
		lower_ttl(answer, ns_rr_ttl(record));
		lower_ttl(answer,
			(uint32_t)ns_get32(ns_rr_rdata(record) + ns_rr_rdlen(record) - NS_INT32SZ));
		return;
	}
	answer->ttl = 0;
}

int dns_answer_read(
	struct dns_answer *answer, const char *name, int type, const uint8_t *bytes, size_t size)
{
	char end_of_chain[POLICY_NAME_MAX + 1] = "";
	ns_msg message;

	memset(answer, 0, sizeof(*answer));
	answer->ttl = UINT32_MAX;
	if (size > DNS_MESSAGE_MAX || ns_initparse(bytes, (int)size, &message) < 0) {
		return -EBADMSG;
	}
	answer->code = ns_msg_getflag(message, ns_f_rcode);
	memcpy(end_of_chain, name, strlen(name) + 1);
	int error = follow_aliases(answer, &message, end_of_chain);
	if (error == 0) {
		answer->type = dns_records_are_of(type) ? type : 0;
		error = read_records(answer, &message, end_of_chain, type);
	}
	if (error == 0 && answer->address_count == 0 && answer->records.count == 0) {
		read_negative_ttl(answer, &message);
	}
	return error;
}

/* ---- replies ---- */

struct writer {
	uint8_t *begin, *next, *end;
	const uint8_t *names[2 + DNS_ALIASES_MAX + 1]; /* the C library's, for compression */
	unsigned int records;
	bool full;
};

static void write_header(struct writer *writer, const struct dns_question *question, int code,
	unsigned int records, bool truncated)
{
	unsigned int flags = FLAG_QR | FLAG_RA | (question->recursion_desired ? FLAG_RD : 0) |
			     (truncated ? FLAG_TC : 0) | (unsigned int)code;

	ns_put16(question->id, writer->begin);
	ns_put16(flags, writer->begin + 2);
	ns_put16(question->echo_size ? 1 : 0, writer->begin + 4);
	ns_put16(records, writer->begin + 6);
	ns_put16(0, writer->begin + 8);
	ns_put16(question->has_edns ? 1 : 0, writer->begin + 10);
}

/* Owner, type, class and TTL. */
static void begin_record(struct writer *writer, const char *owner, int type, uint32_t ttl)
{
	const uint8_t **names_end = writer->names + sizeof(writer->names) / sizeof(*writer->names);
	int size = writer->full ? -1
				: dn_comp(owner, writer->next, (int)(writer->end - writer->next),
					  (uint8_t **)writer->names, (uint8_t **)names_end);

	if (size < 0 || writer->end - writer->next - size < NS_RRFIXEDSZ) {
		writer->full = true;
		return;
	}
	writer->next += size;
	ns_put16((unsigned int)type, writer->next);
	ns_put16(ns_c_in, writer->next + 2);
	ns_put32(ttl, writer->next + 4);
	writer->next += NS_RRFIXEDSZ; /* with the length of the data, which follows */
	writer->records++;
}

static void write_name_record(
	struct writer *writer, const char *owner, int type, uint32_t ttl, const char *name)
{
	const uint8_t **names_end = writer->names + sizeof(writer->names) / sizeof(*writer->names);

	begin_record(writer, owner, type, ttl);
	int size = writer->full ? -1
				: dn_comp(name, writer->next, (int)(writer->end - writer->next),
					  (uint8_t **)writer->names, (uint8_t **)names_end);
	if (size < 0) {
		writer->full = true;
		return;
	}
	ns_put16((unsigned int)size, writer->next - NS_INT16SZ);
	writer->next += size;
}

static void write_data_record(struct writer *writer, const char *owner, int type, uint32_t ttl,
	const uint8_t *data, size_t size)
{
	begin_record(writer, owner, type, ttl);
	if (writer->full || (size_t)(writer->end - writer->next) < size) {
		writer->full = true;
		return;
	}
	ns_put16((unsigned int)size, writer->next - NS_INT16SZ);
	memcpy(writer->next, data, size);
	writer->next += size;
}

static void write_address_record(
	struct writer *writer, const char *owner, uint32_t ttl, const struct dns_address *address)
{
	bool is_4 = address->family == AF_INET;

	write_data_record(writer, owner, is_4 ? ns_t_a : ns_t_aaaa, ttl, address->bytes,
		is_4 ? NS_INADDRSZ : NS_IN6ADDRSZ);
}

static void write_records(
	struct writer *writer, const struct dns_question *question, const struct dns_answer *answer)
{
	const char *owner = question->name;
	const uint8_t *data = NULL;
	size_t size;

	for (const char *alias = dns_next_alias(answer, NULL); alias;
		alias = dns_next_alias(answer, alias)) {
		write_name_record(writer, owner, ns_t_cname, answer->ttl, alias);
		owner = alias;
	}
	for (size_t i = 0; i < answer->address_count; i++) {
		write_address_record(writer, owner, answer->ttl, &answer->addresses[i]);
	}
	while ((data = dns_records_next(&answer->records, data, &size))) {
		write_data_record(writer, owner, answer->type, answer->ttl, data, size);
	}
	if (answer->pointer[0]) {
		write_name_record(writer, owner, ns_t_ptr, answer->ttl, answer->pointer);
	}
}

static void write_edns(struct writer *writer)
{
	memset(writer->next, 0, 1 + NS_RRFIXEDSZ);
	ns_put16(ns_t_opt, writer->next + 1);
	ns_put16(EDNS_ROOM, writer->next + 1 + NS_INT16SZ);
	writer->next += 1 + NS_RRFIXEDSZ;
}

size_t dns_reply_write(uint8_t *reply, size_t room, const struct dns_question *question,
	const struct dns_answer *answer)
{
	size_t edns = question->has_edns ? 1 + NS_RRFIXEDSZ : 0;
	struct writer writer = {.begin = reply,
		.next = reply + NS_HFIXEDSZ,
		.end = reply + (room < DNS_MESSAGE_MAX ? room : DNS_MESSAGE_MAX) - edns,
		.names = {reply}};

	memcpy(writer.next, question->echo, question->echo_size);
	writer.next += question->echo_size;
	uint8_t *after_question = writer.next;
	write_records(&writer, question, answer);
	if (writer.full) {
		writer.next = after_question;
		writer.records = 0;
	}
	write_header(&writer, question, answer->code, writer.records, writer.full);
	if (question->has_edns) {
		write_edns(&writer);
	}
	return (size_t)(writer.next - reply);
}
