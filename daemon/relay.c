/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/journal.h"

static const struct kind {
	enum journal_level level;
	unsigned int lines_per_second;
} kinds[] = {
	[RELAY_WORDS] = {JOURNAL_WARNING, 20},
	[RELAY_AUDIT] = {JOURNAL_NOTICE, 500},
};

struct relay {
	uv_pipe_t pipe;
	const struct kind *kind;
	char *label;
	uint64_t second; /* of the loop's clock, in which `lines` were written */
	unsigned int lines, left_out;
	size_t length; /* of the line that is not complete yet */
	char line[RELAY_LINE_MAX];
	char chunk[16 * 1024];
};

static void write_line(struct relay *relay)
{
	uint64_t second = uv_now(relay->pipe.loop) / 1000;

	if (second != relay->second) {
		if (relay->left_out > 0) {
			journal_warning("%s: %u lines left out", relay->label, relay->left_out);
		}
		relay->second = second;
		relay->lines = relay->left_out = 0;
	}
	if (++relay->lines > relay->kind->lines_per_second) {
		relay->left_out++;
	} else if (relay->length > 0) {
		journal_write(relay->kind->level, "%s: %.*s", relay->label, (int)relay->length,
			relay->line);
	}
	relay->length = 0;
}

static void take(struct relay *relay, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n') {
			write_line(relay);
		} else if (relay->length < sizeof(relay->line)) {
			relay->line[relay->length++] = text[i];
		}
	}
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct relay *relay = container_of((uv_pipe_t *)handle, struct relay, pipe);

	(void)suggested;
	*buffer = uv_buf_init(relay->chunk, sizeof(relay->chunk));
}

static void on_closed(uv_handle_t *handle)
{
	struct relay *relay = container_of((uv_pipe_t *)handle, struct relay, pipe);

	free(relay->label);
	free(relay);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct relay *relay = container_of((uv_pipe_t *)stream, struct relay, pipe);

	if (length >= 0) {
		take(relay, buffer->base, (size_t)length);
		return;
	}
	if (relay->length > 0) {
		write_line(relay);
	}
	uv_close((uv_handle_t *)stream, on_closed);
}

static int open_pipe(struct relay *relay, uv_loop_t *loop, int *reader)
{
	int result = uv_pipe_init(loop, &relay->pipe, 0);

	if (result < 0) {
		free(relay->label);
		free(relay);
		return result;
	}
	/* It carries the words of others; the loop need not live for it. */
	uv_unref((uv_handle_t *)&relay->pipe);
	result = uv_pipe_open(&relay->pipe, *reader);
	if (result == 0) {
		steal_fd(reader);
		result = uv_read_start((uv_stream_t *)&relay->pipe, on_allocate, on_read);
	}
	if (result < 0) {
		uv_close((uv_handle_t *)&relay->pipe, on_closed);
	}
	return result;
}

int relay_start(int *writer, uv_loop_t *loop, const char *label, enum relay_kind kind)
{
	int pair[2] = {-1, -1};

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0) {
		return -errno;
	}
	cleanup_fd int reader = pair[0];
	cleanup_fd int theirs = pair[1];
	struct relay *relay = calloc(1, sizeof(*relay));
	char *copy = strdup(label);
	if (!relay || !copy) {
		free(relay);
		free(copy);
		return -ENOMEM;
	}
	relay->label = copy;
	relay->kind = &kinds[kind];
	int result = open_pipe(relay, loop, &reader);
	if (result == 0) {
		*writer = steal_fd(&theirs);
	}
	return result;
}
