/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another holder (holder.h) in the place of one that was killed. It cannot be our parent, so it is
 * our child, and knows our end by a pidfd; else it is the same, and is given anew all that the
 * first one had: sockets, sessions, brokers. Until it has it, nobody would start another usherd.
 *
 *   IDLE     there is a holder, or there never was one
 *   WAITING  for a moment, and longer each time that holders die soon; then it is started
 *   GIVING   it was told all, and has not heard it yet
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct context;
struct doors;
struct store_sync;

struct holder_again {
	struct context *context;
	struct doors *doors;
	char **argv; /* as we were started */
	uv_timer_t timer;
	uv_process_t process; /* the last that we started */
	bool has_timer, has_process;
	uint64_t delay_ms, started_ms;
	struct store_sync *sync; /* GIVING */
};

/* 0 or a negative errno. */
int holder_again_init(
	struct holder_again *again, struct context *context, struct doors *doors, char **argv);

/* The holder is gone. */
void holder_again_begin(struct holder_again *again);

/* The daemon ends. Also where it was never initialised, and is zero. */
void holder_again_finish(struct holder_again *again);
