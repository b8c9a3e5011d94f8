/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A running session and the policies that take the place of its own. What it may take on was found
 * out before (reload.c); here it gets it: its broker now, or the next one.
 */
#pragma once

#include <stdint.h>

struct session;

/*
 * Gives another snapshot to the session, which takes it from *snapshot. 1: the broker will say
 * TAKEN with this number, or die and be followed by one that begins with it; 0: the next one will
 * begin with it, there is none now.
 */
int session_follow(struct session *session, int *snapshot, uint64_t number);

/* The snapshot whose filter the session's targets have loaded. */
int session_filter_snapshot(const struct session *session);
