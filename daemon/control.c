/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"
#include "daemon/config.h"
#include "daemon/context.h"
#include "daemon/control_connection.h"
#include "daemon/control_describe.h"
#include "daemon/control_request.h"
#include "daemon/journal.h"
#include "daemon/peer.h"
#include "daemon/unwanted.h"

#define BACKLOG   16
#define IDLE_MS   30000u
#define ENDING_MS 5000u

static const struct tally_limits limits_of_users = {.per_user = 16, .total = 64};
static const struct tally_limits limits_of_administrators = {.per_user = 80, .total = 80};

/* A line on its way out. */
struct message {
	uv_write_t write;
	struct connection *connection;
	bool ends_answer;
	char text[];
};

/* With the last one nothing is left to free, also not of a control that has ended. */
static void leave(struct tally *tally, uid_t uid)
{
	tally_leave(tally, uid);
	if (tally->total == 0) {
		tally_finish(tally);
	}
}

static void on_handle_closed(struct connection *connection)
{
	if (--connection->open_handles == 0) {
		if (connection->is_counted) {
			leave(&connection->control->tally, connection->uid);
		}
		json_object_put(connection->tag);
		free(connection);
	}
}

static void on_pipe_closed(uv_handle_t *handle)
{
	on_handle_closed(container_of((uv_pipe_t *)handle, struct connection, pipe));
}

static void on_idle_closed(uv_handle_t *handle)
{
	on_handle_closed(container_of((uv_timer_t *)handle, struct connection, idle));
}

/* Nobody waits for what was asked, or watches, any more. */
static void leave_owner(struct connection *connection)
{
	void (*on_gone)(struct connection *) = connection->on_gone;

	connection->on_gone = NULL;
	if (on_gone) {
		on_gone(connection);
	}
}

static void hang_up(struct connection *connection)
{
	if (uv_is_closing((uv_handle_t *)&connection->pipe)) {
		return;
	}
	connection->state = CONNECTION_ENDING;
	LIST_REMOVE(connection, entry);
	leave_owner(connection);
	unwanted_discard(&connection->pipe);
	uv_close((uv_handle_t *)&connection->pipe, on_pipe_closed);
	uv_close((uv_handle_t *)&connection->idle, on_idle_closed);
}

static void on_idle(uv_timer_t *timer)
{
	hang_up(container_of(timer, struct connection, idle));
}

/* Ends when all is written, or when it takes too long. */
static void end(struct connection *connection)
{
	if (connection->state == CONNECTION_ENDING) {
		return;
	}
	connection->state = CONNECTION_ENDING;
	leave_owner(connection);
	uv_read_stop((uv_stream_t *)&connection->pipe);
	if (uv_stream_get_write_queue_size((uv_stream_t *)&connection->pipe) == 0) {
		hang_up(connection);
		return;
	}
	uv_timer_start(&connection->idle, on_idle, ENDING_MS, 0);
}

static void take_line(struct connection *connection);

static void on_written(uv_write_t *write, int status)
{
	struct message *message = container_of(write, struct message, write);
	struct connection *connection = message->connection;
	bool ends_answer = message->ends_answer;

	free(message);
	if (status < 0) {
		hang_up(connection);
	} else if (connection->state == CONNECTION_ENDING) {
		if (uv_stream_get_write_queue_size((uv_stream_t *)&connection->pipe) == 0) {
			hang_up(connection);
		}
	} else if (ends_answer && connection->state == CONNECTION_ANSWERING) {
		connection->state = CONNECTION_READING;
		uv_timer_start(&connection->idle, on_idle, IDLE_MS, 0);
		take_line(connection);
	}
}

/* Consumes `object`. */
static void send_line(struct connection *connection, struct json_object *object, bool ends_answer)
{
	const char *text = json_text(object);
	size_t length = text ? strlen(text) : 0;
	struct message *message = text ? malloc(sizeof(*message) + length + 1) : NULL;

	if (!message) {
		json_object_put(object);
		hang_up(connection);
		return;
	}
	message->connection = connection;
	message->ends_answer = ends_answer;
	memcpy(message->text, text, length);
	message->text[length] = '\n';
	json_object_put(object);
	uv_buf_t buffer = uv_buf_init(message->text, (unsigned int)length + 1);
	if (uv_write(&message->write, (uv_stream_t *)&connection->pipe, &buffer, 1, on_written) <
		0) {
		free(message);
		hang_up(connection);
	}
}

/* What belongs to the request that is being answered, and to no other. */
static void finish_request(struct connection *connection, struct json_object *answer)
{
	if (connection->tag) {
		json_add(answer, "tag", steal_pointer(&connection->tag));
	}
	connection->request = NULL;
	connection->on_gone = NULL;
}

void connection_answer(struct connection *connection, struct json_object *answer)
{
	if (connection->state == CONNECTION_ENDING) {
		json_object_put(answer);
		return;
	}
	json_add(answer, "reply", json_object_new_string(connection->request));
	finish_request(connection, answer);
	send_line(connection, answer, true);
}

void connection_refuse(struct connection *connection, enum control_error error, const char *key,
	const char *format, ...)
{
	struct json_object *answer;
	char text[512];
	va_list arguments;

	if (connection->state == CONNECTION_ENDING) {
		return;
	}
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	answer = control_error_make(error, key, text);
	if (connection->request) {
		json_add(answer, "request", json_object_new_string(connection->request));
	}
	finish_request(connection, answer);
	send_line(connection, answer, true);
}

void connection_watch(struct connection *connection, struct json_object *answer)
{
	void (*on_gone)(struct connection *) = connection->on_gone;

	connection_answer(connection, answer);
	connection->on_gone = on_gone;
	if (connection->state != CONNECTION_ANSWERING) {
		leave_owner(connection);
		return;
	}
	connection->state = CONNECTION_WATCHING;
	take_line(connection);
}

void connection_tell(struct connection *connection, struct json_object *event)
{
	if (connection->state == CONNECTION_ENDING) {
		json_object_put(event);
		return;
	}
	if (uv_stream_get_write_queue_size((uv_stream_t *)&connection->pipe) >
		CONTROL_WAITING_MAX) {
		json_object_put(event);
		journal_notice("uid %u is too slow to watch, and is told so", connection->uid);
		send_line(connection,
			control_error_make(CONTROL_TOO_SLOW, NULL,
				"events come faster than you read them; ask for fewer"),
			false);
		end(connection);
		return;
	}
	send_line(connection, event, false);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct connection *connection = container_of((uv_pipe_t *)handle, struct connection, pipe);

	(void)suggested;
	*buffer = uv_buf_init(connection->line + connection->length,
		(unsigned int)(sizeof(connection->line) - connection->length));
	unwanted_calm(&connection->pipe, buffer);
}

/* One that has only said all that it has to say still waits for its answer. */
static bool has_gone(const struct connection *connection)
{
	struct pollfd pollfd = {.fd = -1};
	uv_os_fd_t fd;

	if (uv_fileno((const uv_handle_t *)&connection->pipe, &fd) == 0) {
		pollfd.fd = fd;
	}
	return poll(&pollfd, 1, 0) != 0 && (pollfd.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* While somebody takes his time to answer, what comes is kept for later. */
static void read_meanwhile(struct connection *connection, ssize_t length)
{
	if (length > 0) {
		connection->length += (size_t)length;
	} else if (length < 0 && length != UV_ENOBUFS && has_gone(connection)) {
		hang_up(connection);
	} else if (length < 0) {
		uv_read_stop((uv_stream_t *)&connection->pipe);
	}
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct connection *connection = container_of((uv_pipe_t *)stream, struct connection, pipe);

	(void)buffer;
	if (connection->state == CONNECTION_ANSWERING) {
		read_meanwhile(connection, length);
	} else if (length == UV_ENOBUFS && connection->state == CONNECTION_READING) {
		connection->state = CONNECTION_ANSWERING;
		connection_refuse(connection, CONTROL_TOO_LONG, NULL,
			"a request has less than %u bytes", CONTROL_LINE_MAX);
		end(connection);
	} else if (length < 0) {
		hang_up(connection);
	} else if (length > 0) {
		connection->length += (size_t)length;
		take_line(connection);
	}
}

static void read_on(struct connection *connection)
{
	int result = uv_read_start((uv_stream_t *)&connection->pipe, on_allocate, on_read);

	if (result < 0 && result != UV_EALREADY) {
		hang_up(connection);
	}
}

/* Begins with the first whole line of what was read, or reads on. */
static void take_line(struct connection *connection)
{
	char *newline = memchr(connection->line, '\n', connection->length);
	char line[CONTROL_LINE_MAX];

	if (!newline) {
		read_on(connection);
		return;
	}
	if (connection->state == CONNECTION_WATCHING) {
		hang_up(connection); /* it was told that it may only end */
		return;
	}
	uv_read_stop((uv_stream_t *)&connection->pipe);
	uv_timer_stop(&connection->idle);
	size_t taken = (size_t)(newline - connection->line) + 1;
	memcpy(line, connection->line, taken);
	connection->length -= taken;
	memmove(connection->line, connection->line + taken, connection->length);
	connection->state = CONNECTION_ANSWERING;
	control_request(connection, line, taken - 1);
	if (connection->state == CONNECTION_ANSWERING && connection->on_gone) {
		read_on(connection);
	}
}

/* Members of the group are administrators, as are root and the daemon's own user. */
static bool is_administrator(const struct context *context, const struct peer *peer)
{
	return peer->uid == 0 || peer->uid == context->self.uid ||
	       peer_has_group(peer, context->config->control_group);
}

static int identify(struct connection *connection)
{
	const struct context *context = connection->control->context;
	struct peer peer = {.pidfd = -1};
	uv_os_fd_t fd;

	int result = uv_fileno((uv_handle_t *)&connection->pipe, &fd);
	if (result == 0) {
		result = peer_init_ids(&peer, fd);
	}
	if (result < 0) {
		return result;
	}
	connection->uid = peer.uid;
	connection->is_administrator = is_administrator(context, &peer);
	peer_finish(&peer);
	return 0;
}

static int enter(struct connection *connection)
{
	int result = tally_enter(&connection->control->tally, connection->uid,
		connection->is_administrator ? limits_of_administrators : limits_of_users);

	connection->is_counted = result == 0;
	return result;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct control *control = container_of((uv_pipe_t *)listener, struct control, listener);
	struct connection *connection = status < 0 ? NULL : calloc(1, sizeof(*connection));

	if (!connection) {
		if (status == 0) {
			turn_away(&control->away, listener);
		}
		return;
	}
	connection->control = control;
	LIST_INSERT_HEAD(&control->connections, connection, entry);
	connection->open_handles = 2;
	uv_pipe_init(listener->loop, &connection->pipe, 0);
	uv_timer_init(listener->loop, &connection->idle);
	uv_timer_start(&connection->idle, on_idle, IDLE_MS, 0);
	if (uv_accept(listener, (uv_stream_t *)&connection->pipe) < 0 || identify(connection) < 0) {
		hang_up(connection);
		return;
	}
	if (enter(connection) < 0) {
		send_line(connection,
			control_error_make(
				CONTROL_BUSY, NULL, "too many ask at the same time; try again"),
			false);
		end(connection);
		return;
	}
	send_line(connection, control_describe_greeting(connection), false);
	if (connection->state == CONNECTION_READING) {
		read_on(connection);
	}
}

int control_init(struct control *control, struct context *context, int socket)
{
	cleanup_fd int fd = socket;

	*control = (struct control){.context = context};
	uv_pipe_init(context->loop, &control->listener, 0);
	int result = uv_pipe_open(&control->listener, fd);
	if (result == 0) {
		steal_fd(&fd);
		result = uv_listen((uv_stream_t *)&control->listener, BACKLOG, on_connection);
	}
	if (result < 0) {
		uv_close((uv_handle_t *)&control->listener, NULL);
	}
	return result;
}

void control_finish(struct control *control)
{
	struct connection *connection, *next;

	uv_close((uv_handle_t *)&control->listener, NULL);
	for (connection = LIST_FIRST(&control->connections); connection; connection = next) {
		next = LIST_NEXT(connection, entry);
		end(connection);
	}
}
