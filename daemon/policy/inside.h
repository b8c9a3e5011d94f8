/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `net = broker`: which addresses are of the session's own network, and which lead out of it.
 *
 * The loopback inside is the session's own, and so is a socket that is bound to all addresses:
 * rules are not asked about them, with two exceptions. A rule that names the loopback (127.0.0.0/8
 * or
 * ::1, or a part of them; not one that happens to cover it, like `*` and `any`) means that of the
 * broker. And where a rule lets all addresses be bound, those of the broker are meant. Everything
 * else leads out, as far as rules allow it, and only tcp and udp can.
 */
#pragma once

#include "daemon/policy/model.h"

/* What the rules' verdict on this address (canonical) comes to; `outside` is filled in. */
struct policy_verdict inside_judge(const struct policy *policy, enum policy_operation operation,
	const struct policy_endpoint *endpoint, struct policy_verdict verdict);
