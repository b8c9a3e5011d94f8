/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/turn_away.h"

#include "daemon/base/cleanup.h"
#include "daemon/unwanted.h"

static void on_closed(uv_handle_t *handle)
{
	struct turn_away *away = container_of((uv_pipe_t *)handle, struct turn_away, pipe);

	away->is_closing = false;
	if (away->has_next) {
		away->has_next = false;
		turn_away(away, away->listener);
	}
}

void turn_away(struct turn_away *away, uv_stream_t *listener)
{
	if (away->is_closing) {
		away->has_next = true;
		return;
	}
	away->listener = listener;
	away->is_closing = true;
	uv_pipe_init(listener->loop, &away->pipe, 0);
	(void)uv_accept(listener, (uv_stream_t *)&away->pipe);
	unwanted_discard(&away->pipe);
	uv_close((uv_handle_t *)&away->pipe, on_closed);
}
