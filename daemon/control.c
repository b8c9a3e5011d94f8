/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/context.h"
#include "daemon/control_status.h"

#define BACKLOG         16
#define CONNECTIONS_MAX 64u
#define LINE_SIZE_MAX   4096u
#define IDLE_MS         30000u
#define JSON_DEPTH_MAX  8

/* One connection; it owns itself, and is closed when it is idle, done or talks nonsense. */
struct connection {
	LIST_ENTRY(connection) entry;
	struct control *control;
	uv_pipe_t pipe;
	uv_timer_t idle;
	uv_write_t write;
	unsigned int open_handles;
	uid_t uid;
	char *answer; /* being written; nothing is read meanwhile */
	size_t length;
	char line[LINE_SIZE_MAX];
};

typedef struct json_object *answerer(const struct context *context, uid_t uid);

static const struct {
	const char *name;
	answerer *answer;
} requests[] = {
	{"status", control_status},
};

static struct json_object *make_error(const char *text)
{
	struct json_object *answer = json_object_new_object();

	json_object_object_add(answer, "version", json_object_new_int(CONTROL_VERSION));
	json_object_object_add(answer, "error", json_object_new_string(text));
	return answer;
}

static struct json_object *parse(const char *line, size_t length)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);

	if (!tokener) {
		return NULL;
	}
	struct json_object *request = json_tokener_parse_ex(tokener, line, (int)length);
	if (json_tokener_get_parse_end(tokener) != length ||
		!json_object_is_type(request, json_type_object)) {
		json_object_put(request);
		request = NULL;
	}
	json_tokener_free(tokener);
	return request;
}

static struct json_object *answer_request(
	const struct context *context, uid_t uid, struct json_object *request)
{
	struct json_object *version = NULL, *name = NULL;

	if (!request) {
		return make_error("not a JSON object");
	}
	if (!json_object_object_get_ex(request, "version", &version) ||
		json_object_get_int(version) != CONTROL_VERSION) {
		return make_error("this usherd speaks version 1");
	}
	if (!json_object_object_get_ex(request, "request", &name) ||
		!json_object_is_type(name, json_type_string)) {
		return make_error("no request is named");
	}
	for (size_t i = 0; i < array_length(requests); i++) {
		if (strcmp(requests[i].name, json_object_get_string(name)) == 0) {
			return requests[i].answer(context, uid);
		}
	}
	return make_error("unknown request");
}

static void on_handle_closed(struct connection *connection)
{
	if (--connection->open_handles == 0) {
		connection->control->connection_count--;
		free(connection->answer);
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

static void hang_up(struct connection *connection)
{
	if (!uv_is_closing((uv_handle_t *)&connection->pipe)) {
		LIST_REMOVE(connection, entry);
		uv_close((uv_handle_t *)&connection->pipe, on_pipe_closed);
		uv_close((uv_handle_t *)&connection->idle, on_idle_closed);
	}
}

static void take_line(struct connection *connection);
static void read_on(struct connection *connection);

static void on_written(uv_write_t *write, int status)
{
	struct connection *connection = container_of(write, struct connection, write);

	free(connection->answer);
	connection->answer = NULL;
	if (status < 0) {
		hang_up(connection);
		return;
	}
	uv_timer_again(&connection->idle);
	take_line(connection);
}

static void answer_line(struct connection *connection, const char *line, size_t length)
{
	struct json_object *request = parse(line, length);
	struct json_object *answer =
		answer_request(connection->control->context, connection->uid, request);
	const char *text = json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN);

	if (asprintf(&connection->answer, "%s\n", text) < 0) {
		connection->answer = NULL;
	}
	json_object_put(request);
	json_object_put(answer);
	uv_buf_t buffer = uv_buf_init(connection->answer,
		connection->answer ? (unsigned int)strlen(connection->answer) : 0);
	if (!connection->answer || uv_write(&connection->write, (uv_stream_t *)&connection->pipe,
					   &buffer, 1, on_written) < 0) {
		hang_up(connection);
	}
}

/* Answers the first whole line of what was read, or reads on. */
static void take_line(struct connection *connection)
{
	char *end = memchr(connection->line, '\n', connection->length);

	if (!end) {
		read_on(connection);
		return;
	}
	uv_read_stop((uv_stream_t *)&connection->pipe);
	size_t taken = (size_t)(end - connection->line) + 1;
	char line[LINE_SIZE_MAX];
	memcpy(line, connection->line, taken);
	connection->length -= taken;
	memmove(connection->line, connection->line + taken, connection->length);
	answer_line(connection, line, taken - 1);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct connection *connection = container_of((uv_pipe_t *)handle, struct connection, pipe);

	(void)suggested;
	*buffer = uv_buf_init(connection->line + connection->length,
		(unsigned int)(sizeof(connection->line) - connection->length));
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct connection *connection = container_of((uv_pipe_t *)stream, struct connection, pipe);

	(void)buffer;
	if (length < 0) { /* also UV_ENOBUFS: a line that is too long */
		hang_up(connection);
		return;
	}
	connection->length += (size_t)length;
	if (length > 0) {
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

static void on_idle(uv_timer_t *timer)
{
	hang_up(container_of(timer, struct connection, idle));
}

static int identify(struct connection *connection)
{
	struct ucred credentials;
	socklen_t length = sizeof(credentials);
	uv_os_fd_t fd;

	int result = uv_fileno((uv_handle_t *)&connection->pipe, &fd);
	if (result < 0) {
		return result;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) {
		return -errno;
	}
	connection->uid = credentials.uid;
	return 0;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct control *control = container_of((uv_pipe_t *)listener, struct control, listener);
	struct connection *connection = status < 0 ? NULL : calloc(1, sizeof(*connection));

	if (!connection) {
		return;
	}
	connection->control = control;
	control->connection_count++;
	LIST_INSERT_HEAD(&control->connections, connection, entry);
	connection->open_handles = 2;
	uv_pipe_init(listener->loop, &connection->pipe, 0);
	uv_timer_init(listener->loop, &connection->idle);
	uv_timer_start(&connection->idle, on_idle, IDLE_MS, IDLE_MS);
	if (uv_accept(listener, (uv_stream_t *)&connection->pipe) < 0 ||
		control->connection_count > CONNECTIONS_MAX || identify(connection) < 0) {
		hang_up(connection);
		return;
	}
	read_on(connection);
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
	uv_close((uv_handle_t *)&control->listener, NULL);
	while (!LIST_EMPTY(&control->connections)) {
		hang_up(LIST_FIRST(&control->connections));
	}
}
