/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection for which there is no memory has to be accepted nevertheless, and closed: libuv
 * listens no more until it was, and the socket would be deaf for good. So there is always a place
 * for one; further ones wait in it until that one is closed.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

struct turn_away {
	uv_pipe_t pipe;
	uv_stream_t *listener;
	bool is_closing; /* the place is taken, */
	bool has_next;   /* and somebody waits for it */
};

/* From within the callback of uv_listen. The struct, zero at first, outlives the listener. */
void turn_away(struct turn_away *away, uv_stream_t *listener);
