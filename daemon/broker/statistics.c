/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/statistics.h"

#include <stdatomic.h>

#include "daemon/base/clock.h"

static_assert((SESSION_CALLS & (SESSION_CALLS - 1)) == 0, "a number is made an index by a mask");

/* The call's entry, taken for it if it is a free one; `other` where all are taken. */
static struct session_call *entry_of(struct session_statistics *statistics, int call)
{
	uint32_t wanted = (uint32_t)call + 1;

	for (uint32_t i = 0; i < SESSION_CALLS; i++) {
		struct session_call *entry =
			&statistics->calls[((uint32_t)call + i) & (SESSION_CALLS - 1)];
		uint32_t number = atomic_load_explicit(&entry->number, memory_order_relaxed);

		if (number == wanted || (number == 0 && (atomic_compare_exchange_strong(
								 &entry->number, &number, wanted) ||
								number == wanted))) {
			return entry;
		}
	}
	return &statistics->other;
}

unsigned int statistics_bucket(uint64_t nanoseconds)
{
	uint64_t microseconds = nanoseconds / 1000;
	unsigned int bits = microseconds ? 64u - (unsigned int)__builtin_clzll(microseconds) : 0u;

	return bits < SESSION_DELAYS ? bits : SESSION_DELAYS - 1;
}

void statistics_count(struct session_statistics *statistics, int call, enum session_verdict verdict,
	uint64_t received_ns)
{
	uint64_t delay = clock_ns(CLOCK_BOOTTIME) - received_ns;

	atomic_fetch_add_explicit(
		&entry_of(statistics, call)->counts[verdict], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(
		&statistics->delays[statistics_bucket(delay)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&statistics->nanoseconds, delay, memory_order_relaxed);
}
