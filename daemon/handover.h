/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hand-over from usherd's side (usher/wire.h has the packets). It goes through its phases in
 * this order, and each has one thing that may come next:
 *
 *   HELLO      the client's HELLO. It is authorised here
 *   PREPARING  nothing: policy and filter are made; FILTER is sent at the end
 *   LISTENER   the client's LISTENER (or REFUSED: it could not load the filter; or HELLO again, by
 *              one whose files do not suit Landlock)
 *   STARTING   nothing: the broker proves that it can serve; READY is sent at the end
 */
#pragma once

#include <stddef.h>

struct client;
struct packet;

/* One packet has come. The client may be gone when this returns. */
void handover_take(struct client *client, struct packet *packet, size_t size, size_t fd_count);

/* What did not come in time, of a client that waits in its phase. */
const char *handover_missing(const struct client *client);
