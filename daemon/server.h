/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening socket of the hand-over: accepts connections and gives each to client.h. It keeps
 * one descriptor in reserve, so that a daemon without descriptors can still turn connections away
 * instead of spinning on one that it cannot accept.
 */
#pragma once

#include <uv.h>

#include "daemon/journal.h"

struct context;

struct server {
	struct context *context;
	int socket, reserve;
	uv_poll_t poll;
	struct journal_repeat turned_away; /* as the journal was told */
};

/* Consumes `socket`, which listens. 0 or a negative errno. */
int server_init(struct server *server, struct context *context, int socket);
void server_finish(struct server *server);
