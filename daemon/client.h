/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection, from accept to READY or REFUSED: it goes through the phases of the hand-over
 * (handover.h). One timer runs over all of it. Whatever comes out of turn, and whatever goes wrong,
 * ends the connection with REFUSED, and with it everything that was made for it.
 */
#pragma once

struct context;

/* Serves a connection; consumes `socket`. What goes wrong is told to the client and the log. */
void client_start(struct context *context, int socket);

/* Hangs up on all: the daemon ends, and they will come again to the next one. */
void client_leave_all(struct context *context);

/* Ends all connections in their hand-over: the daemon ends. */
void client_refuse_all(struct context *context, const char *text);
