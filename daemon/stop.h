/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping the daemon for somebody who asks over the control socket, and what becomes of the
 * sessions: it is refused while there are any, or waits for their end, or ends them. Until the last
 * has ended nobody new is served; if who asked leaves before, all is as it was.
 */
#pragma once

struct context;

/* A session has ended, or will not be waited for any more. */
void stop_settle(struct context *context);
