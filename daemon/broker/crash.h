/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Over which call a broker dies. A fault is the fault of the call that the faulting thread served:
 * its slot is blamed before the process dies as it would have anyhow. The successor counts; a
 * call that two brokers died over is denied (serve.c), so that no program can keep its broker
 * from serving by a call that it cannot survive.
 */
#pragma once

struct session_memory;
struct session_slot;

/* Watches for faults of all threads from now on. */
void crash_watch(void);

/* What the calling thread does from now on is done for this slot. */
void crash_blame(struct session_slot *slot);

/*
 * The successor's first look at what the dead broker left, before there are workers: counts its
 * death against the blamed call, or, where nobody knows, against all that it was serving.
 */
void crash_count(struct session_memory *memory);
