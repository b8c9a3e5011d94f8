/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of an answer that hold no address: where mail goes (MX), where a service is (SRV), and
 * texts (TXT). They are taken apart and kept as they are written: a name in one is a name of a
 * host, spelled out in small letters, and nothing of what stood around it in a message is left.
 * What such a name leads to is another question, which a rule must allow as any.
 */
#pragma once

#include <arpa/nameser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_RECORDS_ROOM 8192u

/* The data of each, behind its length in two bytes. */
struct dns_records {
	size_t count, size;
	uint8_t bytes[DNS_RECORDS_ROOM];
};

/* Is it one of those types? */
bool dns_records_are_of(int type);

/*
 * Adds what `record` of a message says. 0, also if it leads to what is no name of a host, and is
 * left out; -EBADMSG; or -E2BIG.
 */
int dns_records_add(struct dns_records *records, ns_msg *message, const ns_rr *record);

/* The data behind `data`, the first for NULL; NULL at the end. */
const uint8_t *dns_records_next(
	const struct dns_records *records, const uint8_t *data, size_t *size);
