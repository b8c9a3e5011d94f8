/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subject is cut into host, prefix and ports by offsets into its text, so that every complaint
 * knows its column. Addresses are kept as bytes in network order with the number of bits that
 * count; what stands behind those bits must be zero, in a rule and so in every comparison. A mapped
 * address of a rule becomes its IPv4 address when it is read, that of a request before it is asked
 * about: the two forms never meet.
 */
#include "daemon/policy/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/host.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/words.h"

#define HOST_MAX    64 /* the longest text of an address is 45 bytes */
#define SERVICE_MAX 64

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* A part of the text: [begin, end). */
struct span {
	size_t begin, end;
};

struct endpoint_text {
	const char *text;
	const bool *literal;
	size_t length;
	const char *protocol; /* "tcp" or "udp" */
	const struct service_lookup *services;
	struct mistake *mistake;
};

static bool is_star(const struct endpoint_text *from, struct span span)
{
	return span.end - span.begin == 1 && from->text[span.begin] == '*' &&
	       !(from->literal && from->literal[span.begin]);
}

/* A decimal number of at most `maximum`; false if the span is anything else. */
static bool read_number(
	const char *text, struct span span, unsigned long maximum, unsigned long *numberp)
{
	unsigned long number = 0;

	if (span.begin == span.end) {
		return false;
	}
	for (size_t i = span.begin; i < span.end; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return false;
		}
		number = number * 10 + (unsigned long)(text[i] - '0');
		if (number > maximum) {
			return false;
		}
	}
	*numberp = number;
	return true;
}

static bool is_number(const char *text, struct span span)
{
	return span.begin < span.end &&
	       strspn(text + span.begin, "0123456789") >= span.end - span.begin;
}

/* Clears nothing: host bits behind the prefix are a mistake, and this tells whether there are any.
 */
static bool has_host_bits(const uint8_t *address, unsigned int bits, unsigned int prefix)
{
	for (unsigned int bit = prefix; bit < bits; bit++) {
		if ((address[bit / 8] & (0x80u >> (bit % 8))) != 0) {
			return true;
		}
	}
	return false;
}

/* A mapped address is its IPv4 address in rules too. */
static void unmap_subject(struct endpoint_subject *subject)
{
	if (subject->family == AF_INET6 && subject->prefix >= 96 &&
		!memcmp(subject->address, mapped_prefix, sizeof(mapped_prefix))) {
		memmove(subject->address, subject->address + 12, 4);
		memset(subject->address + 4, 0, 12);
		subject->family = AF_INET;
		subject->prefix -= 96;
	}
}

static int set_prefix(struct endpoint_subject *subject, const struct endpoint_text *from,
	const struct span *prefix)
{
	unsigned int bits = subject->family == AF_INET ? 32 : 128;
	unsigned long number = bits;

	if (prefix && !read_number(from->text, *prefix, bits, &number)) {
		return mistake_set(from->mistake, prefix->begin,
			"bad prefix '/%.*s': a length from 0 to %u is expected",
			(int)(prefix->end - prefix->begin), from->text + prefix->begin, bits);
	}
	if (prefix && has_host_bits(subject->address, bits, (unsigned int)number)) {
		return mistake_set(from->mistake, prefix->begin,
			"bad prefix: the address has bits set behind its first %lu", number);
	}
	subject->prefix = (unsigned int)number;
	unmap_subject(subject);
	return 0;
}

static int read_name(
	struct endpoint_subject *subject, const struct endpoint_text *from, struct span host)
{
	int r = host_subject_parse(subject, from->text + host.begin,
		from->literal ? from->literal + host.begin : NULL, host.end - host.begin,
		from->mistake);

	subject->family = AF_UNSPEC;
	from->mistake->offset += r == -EINVAL ? host.begin : 0;
	return r;
}

/* `host` is without brackets and prefix. */
static int read_address(struct endpoint_subject *subject, const struct endpoint_text *from,
	struct span host, bool brackets)
{
	char text[HOST_MAX] = "";
	size_t length = host.end - host.begin;

	if (length < sizeof(text)) {
		memcpy(text, from->text + host.begin, length);
	}
	subject->family = brackets ? AF_INET6 : AF_INET;
	if (length < sizeof(text) && inet_pton(subject->family, text, subject->address) == 1) {
		return 0;
	}
	if (!brackets && inet_pton(AF_INET6, text, subject->address) == 1) {
		return mistake_set(from->mistake, host.begin,
			"an IPv6 address stands in brackets: [%s]", text);
	}
	if (brackets && memchr(text, '%', sizeof(text))) {
		return mistake_set(
			from->mistake, host.begin, "'%s': a rule's address has no zone", text);
	}
	if (!brackets) {
		return read_name(subject, from, host);
	}
	return mistake_set(from->mistake, host.begin, "'%.*s' is not an IPv6 address",
		(int)(length < 60 ? length : 60), from->text + host.begin);
}

static int read_host(
	struct endpoint_subject *subject, const struct endpoint_text *from, struct span host)
{
	const char *text = from->text, *slash;
	struct span prefix = {0, 0}, address = host;
	bool brackets = host.begin < host.end && text[host.begin] == '[';
	int r;

	if (is_star(from, host)) {
		subject->family = AF_UNSPEC;
		return 0;
	}
	slash = memchr(text + host.begin, '/', host.end - host.begin);
	if (slash) {
		prefix = (struct span){(size_t)(slash - text) + 1, host.end};
		address.end = (size_t)(slash - text);
	}
	if (brackets) {
		address.begin++;
		if (slash && text[host.end - 1] == ']') {
			prefix.end--; /* [2001:db8::/32] */
		} else if (text[address.end - 1] == ']') {
			address.end--; /* [2001:db8::]/32 */
		} else {
			return mistake_set(from->mistake, host.begin, "'[' is not closed with ']'");
		}
	}
	r = read_address(subject, from, address, brackets);
	if (r == 0 && subject->host && slash) {
		return mistake_set(from->mistake, prefix.begin - 1, "a name has no prefix");
	}
	return r < 0 || subject->host ? r : set_prefix(subject, from, slash ? &prefix : NULL);
}

static int read_service(const struct endpoint_text *from, struct span ports, unsigned long *numberp)
{
	char name[SERVICE_MAX] = "";
	size_t length = ports.end - ports.begin;
	unsigned int port = 0;

	if (length > 0 && length < sizeof(name)) {
		memcpy(name, from->text + ports.begin, length);
		port = from->services->find(from->services->user, name, from->protocol);
	}
	if (port == 0) {
		return mistake_set(from->mistake, ports.begin,
			"bad port '%.*s': a number, a range, a service of services(5) or '*' is "
			"expected",
			(int)(length < 60 ? length : 60), from->text + ports.begin);
	}
	*numberp = port;
	return 0;
}

static int read_ports(
	struct endpoint_subject *subject, const struct endpoint_text *from, struct span ports)
{
	const char *text = from->text;
	const char *dash = memchr(text + ports.begin, '-', ports.end - ports.begin);
	struct span first = {ports.begin, dash ? (size_t)(dash - text) : ports.end};
	struct span last = {dash ? first.end + 1 : ports.begin, ports.end};
	unsigned long low = 0, high = UINT16_MAX;
	int r = 0;

	if (is_star(from, ports)) {
		subject->port_last = UINT16_MAX;
		return 0;
	}
	/* Services have dashes in their names: a range is two numbers. */
	if (is_number(text, first) && is_number(text, last)) {
		if (!read_number(text, first, UINT16_MAX, &low) ||
			!read_number(text, last, UINT16_MAX, &high)) {
			return mistake_set(from->mistake, ports.begin,
				"bad port '%.*s': ports go to 65535",
				(int)(ports.end - ports.begin), text + ports.begin);
		}
		if (low > high) {
			return mistake_set(from->mistake, ports.begin,
				"bad port '%.*s': the range is upside down",
				(int)(ports.end - ports.begin), text + ports.begin);
		}
	} else {
		r = read_service(from, ports, &low);
		high = low;
	}
	subject->port_first = (uint16_t)low;
	subject->port_last = (uint16_t)high;
	return r;
}

static int parse_internet(struct endpoint_subject *subject, const struct endpoint_text *from)
{
	const char *text = from->text;
	const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;
	const char *colon = strrchr(bracket ? bracket : text, ':');
	struct span host, ports;
	int r;

	if (!colon || (text[0] == '[' && !bracket)) {
		return mistake_set(from->mistake, 0, "'%.80s' is not HOST:PORTS; %s", text,
			text[0] == '[' && !bracket ? "'[' is not closed with ']'"
						   : "any port is HOST:*");
	}
	host = (struct span){0, (size_t)(colon - text)};
	ports = (struct span){host.end + 1, from->length};
	r = read_host(subject, from, host);
	return r < 0 ? r : read_ports(subject, from, ports);
}

static int parse_unix(struct endpoint_subject *subject, const struct endpoint_text *from)
{
	int r;

	if (from->text[0] != '@') {
		subject->kind = ENDPOINT_UNIX_PATH;
		return pattern_path_new(
			&subject->pattern, from->text, from->literal, from->length, from->mistake);
	}
	subject->kind = ENDPOINT_UNIX_ABSTRACT;
	r = pattern_abstract_new(&subject->pattern, from->text + 1,
		from->literal ? from->literal + 1 : NULL, from->length - 1, from->mistake);
	from->mistake->offset++;
	return r;
}

int endpoint_subject_parse(struct endpoint_subject *subject, long word, const char *text,
	const bool *literal, size_t length, const struct service_lookup *services,
	struct mistake *mistake)
{
	struct endpoint_text from = {
		text, literal, length, word == WORD_UDP ? "udp" : "tcp", services, mistake};
	int r;

	memset(subject, 0, sizeof(*subject));
	switch (word) {
	case WORD_ANY:
		subject->any = true;
		return 0;
	case WORD_UNIX:
		r = parse_unix(subject, &from);
		break;
	default:
		subject->kind = word == WORD_UDP ? ENDPOINT_UDP : ENDPOINT_TCP;
		r = parse_internet(subject, &from);
	}
	if (r < 0) {
		endpoint_subject_finish(subject);
	}
	return r;
}

void endpoint_subject_finish(struct endpoint_subject *subject)
{
	pattern_free(subject->pattern);
	free(subject->host);
	free(subject->descriptor);
	if (subject->replacement) {
		endpoint_subject_finish(subject->replacement);
		free(subject->replacement);
	}
	memset(subject, 0, sizeof(*subject));
}

/* Whether the first `bits` bits are the same. */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	return !memcmp(a, b, whole) &&
	       (rest == 0 || ((a[whole] ^ b[whole]) & (0xff00u >> rest) & 0xffu) == 0);
}

/* One of the names that lead to the address is meant. */
static bool is_led_to(
	const struct endpoint_subject *subject, const struct policy_endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->name_count; i++) {
		if (host_subject_matches(subject, endpoint->names[i])) {
			return true;
		}
	}
	return false;
}

bool endpoint_subject_matches(
	const struct endpoint_subject *subject, const struct policy_endpoint *endpoint)
{
	if (subject->any) {
		return true;
	}
	if (subject->kind != endpoint->kind) {
		return false;
	}
	if (subject->pattern) {
		return pattern_matches(subject->pattern, endpoint->path, endpoint->path_length);
	}
	if (endpoint->port < subject->port_first || endpoint->port > subject->port_last) {
		return false;
	}
	if (subject->host) {
		return is_led_to(subject, endpoint);
	}
	return subject->family == AF_UNSPEC ||
	       (subject->family == endpoint->family &&
		       same_bits(subject->address, endpoint->address, subject->prefix));
}

bool endpoint_subject_covers(
	const struct endpoint_subject *wide, const struct endpoint_subject *narrow)
{
	if (wide->any) {
		return true;
	}
	if (narrow->any || wide->kind != narrow->kind) {
		return false;
	}
	if (wide->pattern) {
		return pattern_covers(wide->pattern, narrow->pattern);
	}
	if (narrow->port_first < wide->port_first || narrow->port_last > wide->port_last) {
		return false;
	}
	if (wide->host) {
		return narrow->host && host_subject_covers(wide, narrow);
	}
	return wide->family == AF_UNSPEC ||
	       (wide->family == narrow->family && narrow->prefix >= wide->prefix &&
		       same_bits(wide->address, narrow->address, wide->prefix));
}

void endpoint_canonical(struct policy_endpoint *endpoint, enum policy_operation operation)
{
	static const uint8_t zero[16];

	if (endpoint->kind != ENDPOINT_TCP && endpoint->kind != ENDPOINT_UDP) {
		return;
	}
	if (endpoint->family == AF_INET6 &&
		!memcmp(endpoint->address, mapped_prefix, sizeof(mapped_prefix))) {
		memmove(endpoint->address, endpoint->address + 12, 4);
		memset(endpoint->address + 4, 0, 12);
		endpoint->family = AF_INET;
	}
	if (operation != OPERATION_CONNECT) {
		return;
	}
	if (endpoint->family == AF_INET && !memcmp(endpoint->address, zero, 4)) {
		endpoint->address[0] = 127;
		endpoint->address[3] = 1;
	} else if (endpoint->family == AF_INET6 && !memcmp(endpoint->address, zero, 16)) {
		endpoint->address[15] = 1;
	}
}
