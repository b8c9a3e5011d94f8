/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/metrics_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/context.h"
#include "daemon/metrics.h"
#include "daemon/unwanted.h"

#define BACKLOG      64
#define SCRAPES_MAX  16u
#define QUESTION_MAX 4096u
#define PATIENCE_MS  5000u

#define CONTENT_TYPE "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"

struct scrape {
	LIST_ENTRY(scrape) entry;
	struct metrics_socket *metrics;
	uv_pipe_t pipe;
	uv_timer_t patience;
	uv_write_t write;
	unsigned int open_handles;
	char *head, *text; /* ANSWERING: what is written */
	size_t length;
	char question[QUESTION_MAX];
};

/* ---- the end of one ---- */

static void on_closed(struct scrape *scrape)
{
	if (--scrape->open_handles == 0) {
		free(scrape->head);
		free(scrape->text);
		free(scrape);
	}
}

static void on_pipe_closed(uv_handle_t *handle)
{
	on_closed(container_of((uv_pipe_t *)handle, struct scrape, pipe));
}

static void on_patience_closed(uv_handle_t *handle)
{
	on_closed(container_of((uv_timer_t *)handle, struct scrape, patience));
}

static void hang_up(struct scrape *scrape)
{
	if (uv_is_closing((uv_handle_t *)&scrape->pipe)) {
		return;
	}
	LIST_REMOVE(scrape, entry);
	scrape->metrics->scrape_count--;
	unwanted_discard(&scrape->pipe);
	uv_close((uv_handle_t *)&scrape->pipe, on_pipe_closed);
	uv_close((uv_handle_t *)&scrape->patience, on_patience_closed);
}

static void on_impatient(uv_timer_t *timer)
{
	hang_up(container_of(timer, struct scrape, patience));
}

/* ---- the answer ---- */

static void on_written(uv_write_t *write, int status)
{
	(void)status;
	hang_up(container_of(write, struct scrape, write));
}

static const char *status_of(const struct scrape *scrape)
{
	static const char get[] = "GET ";

	if (strncmp(scrape->question, get, strlen(get)) != 0) {
		return "405 Method Not Allowed";
	}
	return scrape->text ? "200 OK" : "500 Internal Server Error";
}

static void answer(struct scrape *scrape)
{
	scrape->text = metrics_render(scrape->metrics->context, NULL);
	const char *status = status_of(scrape);
	const char *body = strncmp(status, "200", 3) == 0 ? scrape->text : "";
	size_t length = strlen(body);

	if (asprintf(&scrape->head,
		    "HTTP/1.1 %s\r\n" CONTENT_TYPE "Content-Length: %zu\r\n"
		    "Connection: close\r\n\r\n",
		    status, length) < 0) {
		scrape->head = NULL;
		hang_up(scrape);
		return;
	}
	uv_buf_t buffers[] = {uv_buf_init(scrape->head, (unsigned int)strlen(scrape->head)),
		uv_buf_init((char *)body, (unsigned int)length)};
	uv_timer_start(&scrape->patience, on_impatient, PATIENCE_MS, 0);
	if (uv_write(&scrape->write, (uv_stream_t *)&scrape->pipe, buffers, array_length(buffers),
		    on_written) < 0) {
		hang_up(scrape);
	}
}

/* ---- the question ---- */

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct scrape *scrape = container_of((uv_pipe_t *)handle, struct scrape, pipe);

	(void)suggested;
	*buffer = uv_buf_init(scrape->question + scrape->length,
		(unsigned int)(sizeof(scrape->question) - 1 - scrape->length));
	unwanted_calm(&scrape->pipe, buffer);
}

static bool has_ended(const struct scrape *scrape, const char *end)
{
	return memmem(scrape->question, scrape->length, end, strlen(end)) != NULL;
}

/* One that ends its side after the question still wants the answer; too long a one gets none. */
static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct scrape *scrape = container_of((uv_pipe_t *)stream, struct scrape, pipe);

	(void)buffer;
	if (length < 0) {
		hang_up(scrape);
		return;
	}
	scrape->length += (size_t)length;
	if (has_ended(scrape, "\r\n\r\n") || has_ended(scrape, "\n\n")) {
		uv_read_stop(stream);
		answer(scrape);
	}
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct metrics_socket *metrics =
		container_of((uv_pipe_t *)listener, struct metrics_socket, listener);
	struct scrape *scrape = status < 0 ? NULL : calloc(1, sizeof(*scrape));

	if (!scrape) {
		if (status == 0) {
			turn_away(&metrics->away, listener);
		}
		return;
	}
	scrape->metrics = metrics;
	scrape->open_handles = 2;
	uv_pipe_init(listener->loop, &scrape->pipe, 0);
	uv_timer_init(listener->loop, &scrape->patience);
	LIST_INSERT_HEAD(&metrics->scrapes, scrape, entry);
	metrics->scrape_count++;
	if (uv_accept(listener, (uv_stream_t *)&scrape->pipe) < 0 ||
		metrics->scrape_count > SCRAPES_MAX ||
		uv_read_start((uv_stream_t *)&scrape->pipe, on_allocate, on_read) < 0) {
		hang_up(scrape);
		return;
	}
	uv_timer_start(&scrape->patience, on_impatient, PATIENCE_MS, 0);
}

int metrics_socket_init(struct metrics_socket *metrics, struct context *context, int fd)
{
	cleanup_fd int socket = fd;

	*metrics = (struct metrics_socket){.context = context, .is_open = true};
	LIST_INIT(&metrics->scrapes);
	uv_pipe_init(context->loop, &metrics->listener, 0);
	int result = uv_pipe_open(&metrics->listener, socket);
	if (result == 0) {
		(void)steal_fd(&socket);
		result = uv_listen((uv_stream_t *)&metrics->listener, BACKLOG, on_connection);
	}
	if (result < 0) {
		metrics_socket_finish(metrics);
	}
	return result;
}

void metrics_socket_finish(struct metrics_socket *metrics)
{
	if (!metrics->is_open) {
		return;
	}
	metrics->is_open = false;
	uv_close((uv_handle_t *)&metrics->listener, NULL);
	while (!LIST_EMPTY(&metrics->scrapes)) {
		hang_up(LIST_FIRST(&metrics->scrapes));
	}
}
