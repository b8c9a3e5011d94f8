/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a rule about an address says nothing, since [sockets] lets no socket through by which the
 * address could be reached.
 */
#pragma once

#include <stdbool.h>

#include "daemon/policy/policy.h"

/* ENDPOINT_TCP or ENDPOINT_UDP; AF_UNSPEC is either family. */
bool reach_internet(const struct policy *policy, int family, enum endpoint_kind kind);

bool reach_unix(const struct policy *policy);
