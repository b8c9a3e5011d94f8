/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/journal.h"
#include "daemon/journal_record.h"

static const struct kind {
	enum journal_level level;
	unsigned int lines_per_second;
} kinds[] = {
	[RELAY_WORDS] = {JOURNAL_WARNING, 20},
	[RELAY_AUDIT] = {JOURNAL_NOTICE, 500},
};

struct relay {
	LIST_ENTRY(relay) entry;
	uv_pipe_t pipe;
	const struct kind *kind;
	char *label, *policy; /* policy: RELAY_AUDIT */
	uint64_t second;      /* of the loop's clock, in which `lines` were written */
	unsigned int lines, left_out;
	char *line; /* what has come of a line that is not complete yet; an idle relay is small */
	size_t length, room;
};

static LIST_HEAD(, relay) relays = LIST_HEAD_INITIALIZER(relays);

static void tell_left_out(struct relay *relay)
{
	if (relay->left_out > 0) {
		journal_warning("%s: %u lines left out", relay->label, relay->left_out);
		relay->left_out = 0;
	}
}

static void write_record(const struct relay *relay)
{
	cleanup_free char *line = strndup(relay->line, relay->length);

	if (line) {
		journal_record(relay->label, relay->policy, line);
	}
}

static void write_line(struct relay *relay)
{
	uint64_t second = uv_now(relay->pipe.loop) / 1000;

	if (second != relay->second) {
		tell_left_out(relay);
		relay->second = second;
		relay->lines = 0;
	}
	if (++relay->lines > relay->kind->lines_per_second) {
		relay->left_out++;
	} else if (relay->length > 0 && relay->policy) {
		write_record(relay);
	} else if (relay->length > 0) {
		journal_write(relay->kind->level, "%s: %.*s", relay->label, (int)relay->length,
			relay->line);
	}
	free(relay->line);
	relay->line = NULL;
	relay->length = relay->room = 0;
}

/* Adds to the line; what is beyond RELAY_LINE_MAX, or beyond memory, is cut. */
static void keep(struct relay *relay, const char *text, size_t length)
{
	size_t rest = RELAY_LINE_MAX - relay->length;
	size_t wanted = relay->length + (length < rest ? length : rest);

	if (wanted == relay->length) {
		return;
	}
	if (wanted > relay->room) {
		char *grown = realloc(relay->line, wanted);
		if (!grown) {
			return;
		}
		relay->line = grown;
		relay->room = wanted;
	}
	memcpy(relay->line + relay->length, text, wanted - relay->length);
	relay->length = wanted;
}

static void take(struct relay *relay, const char *text, size_t length)
{
	while (length > 0) {
		const char *end = memchr(text, '\n', length);
		size_t part = end ? (size_t)(end - text) : length;
		keep(relay, text, part);
		if (end) {
			write_line(relay);
			part++;
		}
		text += part;
		length -= part;
	}
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	static char chunk[16 * 1024]; /* read and taken before the next is asked for */

	(void)handle;
	(void)suggested;
	*buffer = uv_buf_init(chunk, sizeof(chunk));
}

static void on_closed(uv_handle_t *handle)
{
	struct relay *relay = container_of((uv_pipe_t *)handle, struct relay, pipe);

	free(relay->line);
	free(relay->label);
	free(relay->policy);
	free(relay);
}

static void end(struct relay *relay)
{
	LIST_REMOVE(relay, entry);
	uv_close((uv_handle_t *)&relay->pipe, on_closed);
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
	tell_left_out(relay);
	end(relay);
}

static int open_pipe(struct relay *relay, uv_loop_t *loop, int *reader)
{
	int result = uv_pipe_init(loop, &relay->pipe, 0);

	if (result < 0) {
		free(relay->label);
		free(relay->policy);
		free(relay->policy);
		free(relay);
		return result;
	}
	LIST_INSERT_HEAD(&relays, relay, entry);
	/* It carries the words of others; the loop need not live for it. */
	uv_unref((uv_handle_t *)&relay->pipe);
	result = uv_pipe_open(&relay->pipe, *reader);
	if (result == 0) {
		steal_fd(reader);
		result = uv_read_start((uv_stream_t *)&relay->pipe, on_allocate, on_read);
	}
	if (result < 0) {
		end(relay);
	}
	return result;
}

int relay_resume(
	int reader, uv_loop_t *loop, const char *label, const char *policy, enum relay_kind kind)
{
	cleanup_fd int ours = fcntl(reader, F_DUPFD_CLOEXEC, 0);
	cleanup_free char *copy = strdup(label);
	cleanup_free char *policy_copy = policy ? strdup(policy) : NULL;
	struct relay *relay = calloc(1, sizeof(*relay));

	if (ours < 0 || !relay || !copy || (policy && !policy_copy)) {
		free(relay);
		return ours < 0 ? -errno : -ENOMEM;
	}
	relay->label = steal_pointer(&copy);
	relay->policy = steal_pointer(&policy_copy);
	relay->kind = &kinds[kind];
	return open_pipe(relay, loop, &ours);
}

int relay_start(int *writer, int *reader, uv_loop_t *loop, const char *label, const char *policy,
	enum relay_kind kind)
{
	int pair[2] = {-1, -1};

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0) {
		return -errno;
	}
	cleanup_fd int ours = pair[0];
	cleanup_fd int theirs = pair[1];
	int result = relay_resume(ours, loop, label, policy, kind);
	if (result == 0) {
		*writer = steal_fd(&theirs);
		*reader = steal_fd(&ours);
	}
	return result;
}

void relay_end_all(void)
{
	while (!LIST_EMPTY(&relays)) {
		end(LIST_FIRST(&relays));
	}
}
