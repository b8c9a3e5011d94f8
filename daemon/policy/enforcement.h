/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that is enforced of a policy by others than the broker: what the client is sent (see FILTER
 * in include/usher/wire.h), loads and lays on. Made by usherd or, embedded, by `usher run`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/string_pack.h"
#include "daemon/base/wire.h"
#include "daemon/policy/filter.h"
#include "usher/wire.h"

struct policy;

struct enforcement {
	struct filter filter;
	unsigned int landlock; /* operations on files that are its, with what is allowed of them */
	struct string_pack execute, grants;
	struct string_pack given; /* what the client shall bring */
	enum wire_network network;
};

enum enforcement_part {
	ENFORCEMENT_GIVEN,
	ENFORCEMENT_FILTER,
	ENFORCEMENT_LAUNCH, /* filter_launch_obstacle() of the filter says what is refused */
	ENFORCEMENT_EXECUTE,
	ENFORCEMENT_GRANTS,
};

struct enforcement_options {
	bool targets_are_root; /* as of struct filter_options */
	bool offers_landlock;  /* the client can have it decide on files */
};

/*
 * 0 or a negative errno, with the part that failed: -E2BIG if it is more than can be sent, -EPERM
 * if no program could be started. To be finished in either case.
 */
int enforcement_make(struct enforcement *enforcement, const struct policy *policy,
	const struct enforcement_options *options, enum enforcement_part *failed);
void enforcement_finish(struct enforcement *enforcement);

/* For a FILTER packet, as long as it is not finished. */
struct wire_filter_parts enforcement_parts(
	const struct enforcement *enforcement, uint32_t seccomp_flags);
