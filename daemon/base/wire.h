/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact checks of include/usher/wire.h, in one place for all who read it: a packet that passes
 * is whole, of a type that is legal in the reader's phase, and has the descriptors of its type.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/string_pack.h"
#include "usher/wire.h"

struct sock_filter;

/* What a reader waits for. */
enum wire_phase {
	WIRE_PHASE_HELLO,    /* server: a client has connected */
	WIRE_PHASE_LISTENER, /* server: the filter is sent */
	WIRE_PHASE_FILTER,   /* client: hello is sent */
	WIRE_PHASE_READY,    /* client or supervisor: the listener is sent */
	WIRE_PHASE_START,    /* broker: just started */
	WIRE_PHASE_SERVING,  /* supervisor: the broker has said READY */
	WIRE_PHASE_SERVED,   /* broker: it has said READY */
	WIRE_PHASES
};

/*
 * Checks a received packet. 0 or a negative errno: -EPROTO (magic, type out of phase, size,
 * descriptors), -EPROTONOSUPPORT (another version).
 */
int wire_check(enum wire_phase phase, const void *packet, size_t size, size_t fd_count);

/* The type of a packet that wire_check has passed. */
enum wire_type wire_type_of(const void *packet);

/* Fills a header. `size` is of the whole packet. */
struct wire_header wire_header_make(enum wire_type type, size_t size);

/* What a FILTER packet is made of. */
struct wire_filter_parts {
	const struct sock_filter *instructions;
	size_t count; /* at most WIRE_FILTER_MAX */
	uint32_t seccomp_flags;
	uint32_t network; /* enum wire_network */
	uint32_t landlock;
	struct string_pack execute; /* at most WIRE_EXECUTE_MAX bytes */
	struct string_pack grants;  /* at most WIRE_GRANTS_MAX */
	struct string_pack given;   /* at most WIRE_GIVEN_SIZE_MAX */
};
/* `packet` has room for WIRE_PACKET_MAX, in which all that is allowed fits. Returns its size. */
size_t wire_filter_make(void *packet, const struct wire_filter_parts *parts);

/*
 * `packet` has room for a wire_decision and WIRE_RECORD_MAX. Returns its size; 0 if the record,
 * which ends with its newline, is too long.
 */
size_t wire_decision_make(void *packet, const char *record);
/* The strings of a checked FILTER, in place. */
struct string_pack wire_filter_execute(const struct wire_filter *filter);
struct string_pack wire_filter_grants(const struct wire_filter *filter);
struct string_pack wire_filter_given(const struct wire_filter *filter);

/*
 * Makes a REFUSED packet in `packet` (WIRE_PACKET_MAX bytes suffice); `text` is cut at
 * WIRE_TEXT_MAX. Returns its size.
 */
size_t wire_refused_make(void *packet, int error, const char *text);

/* The strings of a checked HELLO, in place. `sets` has room for WIRE_SETS_MAX. */
struct wire_hello_strings {
	const char *policy, *command;
	const char *sets[WIRE_SETS_MAX];
	size_t set_count;
	uint32_t network; /* enum wire_network */
	bool offers_landlock;
};
int wire_hello_read(const void *packet, struct wire_hello_strings *strings);
