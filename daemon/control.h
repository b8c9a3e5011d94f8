/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: what people and programs ask the daemon. A stream of lines, each one JSON
 * object: a request, and in the same order its answer.
 *
 *   {"version":1,"request":"status"}
 *   {"version":1,"daemon":{...},"sessions":[{...},...]}
 *   {"version":1,"error":"..."}
 *
 * Everyone sees the own sessions, root and the daemon's own user see all.
 */
#pragma once

#include <sys/queue.h>
#include <uv.h>

struct connection;
struct context;

LIST_HEAD(connection_list, connection);

struct control {
	struct context *context;
	uv_pipe_t listener;
	struct connection_list connections;
	unsigned int connection_count;
};

/* Consumes `socket`, a bound SOCK_STREAM. 0 or a negative errno. */
int control_init(struct control *control, struct context *context, int socket);
void control_finish(struct control *control);
