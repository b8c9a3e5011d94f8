/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subjects of [network]: `tcp HOST:PORTS`, `udp HOST:PORTS`, `unix PATTERN`, `unix @NAME`, `any`.
 * HOST is an address, a prefix (IPv6 in brackets, the prefix's length inside or behind them) or
 * `*`, or a name (host.h), which is matched with the names that lead to an address, never looked
 * up.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/policy/mistake.h"
#include "daemon/policy/rule.h"

/* Looks up a service's port ("tcp" or "udp"); 0 if there is none. */
struct service_lookup {
	unsigned int (*find)(void *user, const char *service, const char *protocol);
	void *user;
};

/*
 * `text` (`length` bytes, NUL-terminated; `literal` as in pattern.h) is what stands behind the word
 * of the kind; for WORD_ANY there is none. 0, -ENOMEM, or -EINVAL with `mistake` filled.
 */
int endpoint_subject_parse(struct endpoint_subject *subject, long word, const char *text,
	const bool *literal, size_t length, const struct service_lookup *services,
	struct mistake *mistake);
void endpoint_subject_finish(struct endpoint_subject *subject);

bool endpoint_subject_matches(
	const struct endpoint_subject *subject, const struct policy_endpoint *endpoint);
/* As pattern_covers. */
bool endpoint_subject_covers(
	const struct endpoint_subject *wide, const struct endpoint_subject *narrow);

/*
 * An IPv4-mapped IPv6 address becomes its IPv4 address. For a connection, the unspecified address
 * becomes that of loopback, which is where the kernel connects it to.
 */
void endpoint_canonical(struct policy_endpoint *endpoint, enum policy_operation operation);
