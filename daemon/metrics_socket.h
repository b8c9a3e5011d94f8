/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics on a unix socket of their own (`metrics = PATH`), for those who collect them: whoever
 * may connect, by the socket's mode, gets those of the whole daemon and can ask for nothing else.
 * It is spoken as those speak who collect, HTTP, of which this is the least that is right: the
 * first line is looked at, the rest of the question is read and ignored, and the connection ends
 * with the answer.
 *
 *   READING    until the empty line that ends a question, a few KiB or a few seconds
 *   ANSWERING  until all is written, or a few seconds
 *
 * Each connection owns itself; there are never more than a few.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

#include "daemon/turn_away.h"

struct context;
struct scrape;

LIST_HEAD(scrape_list, scrape);

struct metrics_socket {
	struct context *context;
	bool is_open;
	uv_pipe_t listener;
	struct turn_away away;
	struct scrape_list scrapes;
	unsigned int scrape_count;
};

/* Listens; `fd` is consumed. 0 or a negative errno, after which there is nothing to finish. */
int metrics_socket_init(struct metrics_socket *metrics, struct context *context, int fd);

/* Also where it was never opened, and is zero. */
void metrics_socket_finish(struct metrics_socket *metrics);
