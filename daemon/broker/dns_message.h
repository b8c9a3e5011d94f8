/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of DNS (RFC 1035): a question of the session is read and an answer written for it, an
 * answer of the system's resolver is read. Pure functions of bytes, which come from whoever likes
 * to send some; names are parsed and compressed by the C library.
 *
 * Of an answer is kept what was asked for and nothing else: the chain of aliases that begins with
 * the asked name, and the addresses, or other records (dns_records.h), at its end. Records that lie
 * beside the chain are dropped, so an answer can say nothing about names that nobody has asked for.
 */
#pragma once

#include <arpa/nameser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/broker/dns_records.h"
#include "daemon/policy/policy.h"

#define DNS_MESSAGE_MAX   65535u
#define DNS_ADDRESSES_MAX 64u
#define DNS_ALIASES_MAX   16u
#define DNS_ALIASES_ROOM  2048u

struct dns_address {
	int family; /* AF_INET or AF_INET6 */
	uint8_t bytes[16];
};

struct dns_question {
	uint16_t id;
	bool recursion_desired, has_edns;
	size_t room;                              /* for an answer by datagram */
	int type;                                 /* enum __ns_type */
	char name[POLICY_NAME_MAX + 1];           /* canonical; "" if it is no name of a host */
	char asked[NS_MAXDNAME];                  /* as it was asked, escaped, for the log */
	uint8_t echo[NS_MAXCDNAME + NS_QFIXEDSZ]; /* the question itself, to be sent back */
	size_t echo_size;                         /* 0 if it could not be read */
};

struct dns_answer {
	int code;     /* enum __ns_rcode */
	uint32_t ttl; /* s, the smallest of all; of a negative answer what its SOA says, or 0 */
	size_t alias_count;
	size_t aliases_size;
	char aliases[DNS_ALIASES_ROOM]; /* canonical, in the order of the chain, each with its NUL
					 */
	size_t address_count;
	struct dns_address addresses[DNS_ADDRESSES_MAX];
	char pointer[POLICY_NAME_MAX + 1]; /* of an answer to PTR; else "" */
	int type;                          /* of the records, if there are any */
	struct dns_records records;
};

/*
 * 0, or what is to be answered without more ado (a positive enum __ns_rcode: the message is
 * malformed, of another class or operation, its name is no host's), or -EBADMSG: this is no
 * question at all, and nothing is answered.
 */
int dns_question_read(struct dns_question *question, const uint8_t *bytes, size_t size);

/* The address that a name below in-addr.arpa or ip6.arpa stands for. */
bool dns_read_reverse(const char *name, struct dns_address *address);

/*
 * What the message says to a question of this name and type (A, AAAA, or one of dns_records.h). 0
 * or -EBADMSG, which is also said of a chain that goes round, is too long or leaves the names of
 * hosts.
 */
int dns_answer_read(
	struct dns_answer *answer, const char *name, int type, const uint8_t *bytes, size_t size);

/* The alias behind `alias`; the first for NULL; NULL at the end. */
const char *dns_next_alias(const struct dns_answer *answer, const char *alias);
/* 0, or -E2BIG. `name` is canonical. */
int dns_add_alias(struct dns_answer *answer, const char *name);
/* False if there is no room. */
bool dns_add_address(struct dns_answer *answer, int family, const void *bytes);

/*
 * Writes the answer into `reply`, which has `room` bytes (512 at least). What does not fit is left
 * out whole and the message marked as truncated. The size.
 */
size_t dns_reply_write(uint8_t *reply, size_t room, const struct dns_question *question,
	const struct dns_answer *answer);
