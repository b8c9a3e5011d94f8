/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting what was answered, in the session's memory: the supervisor reads it there and asks
 * nobody. On the way of every notification, so it is three atomic additions and a look at the
 * clock.
 */
#pragma once

#include <stdint.h>

#include "usher/session.h"

/* Counts a call that was received at `received_ns` (CLOCK_BOOTTIME) and has its answer now. */
void statistics_count(struct session_statistics *statistics, int call, enum session_verdict verdict,
	uint64_t received_ns);

/* The bucket for a delay. */
unsigned int statistics_bucket(uint64_t nanoseconds);
