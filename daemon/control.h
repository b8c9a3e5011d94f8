/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: what people and programs ask the daemon, see usher-control(7). A stream of
 * lines, each one a JSON object: the daemon's greeting, then requests and, in the same order, their
 * answers. A connection that has asked to watch gets events until it ends.
 *
 * Nobody who asks can hold up the daemon: lines, connections and what waits to be read have limits,
 * and who does not read what was asked for is dropped. Nor can anybody keep an administrator from
 * asking: users have limits of their own, and some connections are left to administrators.
 */
#pragma once

#include <sys/queue.h>
#include <uv.h>

#include "daemon/tally.h"
#include "daemon/turn_away.h"

struct connection;
struct context;

LIST_HEAD(connection_list, connection);

struct control {
	struct context *context;
	uv_pipe_t listener;
	struct turn_away away;
	struct connection_list connections;
	struct tally tally; /* of the connections */
};

/* Consumes `socket`, a bound SOCK_STREAM. 0 or a negative errno. */
int control_init(struct control *control, struct context *context, int socket);
/* Answers that are on their way are still sent, those that nobody reads not for long. */
void control_finish(struct control *control);
