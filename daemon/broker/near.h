/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where connections were there at once lately. Before one is waited for another thread becomes the
 * leader (workers.h), which costs more than such a connection takes. So what was near the last time
 * is taken to be near now; if it is not, the watchdog makes another thread the leader soon.
 *
 * A hint for speed and nothing else: two addresses may share a place, and nobody waits for a lock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct policy_endpoint;

bool near_is(const struct policy_endpoint *endpoint);

/* It took so long to connect there, or to be refused. */
void near_note(const struct policy_endpoint *endpoint, uint64_t ns);
