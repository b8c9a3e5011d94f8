/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes over what an earlier usherd has left in the store: each session whose parcel came back, and
 * the broker that serves it, which goes on; where there is none another is started. A session that
 * this build cannot read is left to its broker: it is dropped here, so that no target waits for
 * somebody who never comes.
 */
#pragma once

#include <stdbool.h>

struct context;
struct inheritance;

/* True if an earlier usherd has left sessions to us. */
bool adopt_is_due(const struct inheritance *inheritance);

void adopt_all(struct context *context, struct inheritance *inheritance);
