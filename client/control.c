/* SPDX-License-Identifier: Apache-2.0 */
#include "client/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/control_path.h"
#include "daemon/base/install.h"
#include "daemon/base/json.h"

#define LINE_SIZE_MAX  (64u * 1024u * 1024u)
#define ANSWER_SECONDS 60
#define ROOM_LEAST     65536u
#define ROOM_PER_BYTE  32u /* twice what lists of sessions and metrics take */

bool control_option(struct control_options *options, int option, const char *usage)
{
	switch (option) {
	case 'j':
		options->json = true;
		return true;
	case 's':
		options->socket = optarg;
		return true;
	case 'U':
		options->only_user = true;
		return true;
	case 'S':
		options->only_system = true;
		return true;
	case 'h':
		(void)fputs(usage, stdout);
		exit(EXIT_SUCCESS);
	default:
		return false;
	}
}

static int connect_to(const char *socket_path, int *fdp)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = ANSWER_SECONDS};
	cleanup_free char *path = control_path(socket_path);
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!path || fd < 0) {
		return fd < 0 ? -errno : -ENOMEM;
	}
	if (strlen(path) >= sizeof(address.sun_path)) {
		return -ENAMETOOLONG;
	}
	strcpy(address.sun_path, path);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		return -errno;
	}
	*fdp = steal_fd(&fd);
	return 0;
}

/* The first daemon that is there; the error is that of the last that is not. */
static int connect_to_first(const struct control_options *options, int *fdp)
{
	int result = -ENOENT;

	for (unsigned int i = 0; result < 0; i++) {
		errno = 0;
		cleanup_free char *path = install_socket_path(i);
		if (!path) {
			return errno == ENOMEM ? -ENOMEM : result;
		}
		bool is_system = strncmp(path, "/run/usher/", strlen("/run/usher/")) == 0;
		if (is_system ? !options->only_user : !options->only_system) {
			result = connect_to(path, fdp);
		}
	}
	return result;
}

static int complain(int error)
{
	if (error == -ENOENT || error == -ECONNREFUSED) {
		(void)fprintf(stderr,
			"usher: no usherd is running: nobody listens on its control socket; start "
			"usherd, or name its --socket (sessions of 'usher run --embedded' have no "
			"usherd)\n");
	} else if (error == -EBADMSG) {
		(void)fprintf(stderr, "usher: the answer of usherd cannot be read; install usher "
				      "and usherd of the same release\n");
	} else if (error == -ENOMEM) {
		(void)fprintf(stderr, "usher: usherd cannot be asked: %s\n", strerror(ENOMEM));
	} else {
		(void)fprintf(stderr,
			"usher: usherd cannot be asked: %s; is it the one that serves you?\n",
			strerror(-error));
	}
	return error;
}

/* Reads what has come. */
static int fill(struct control *control)
{
	if (control->length + 1 >= control->room) {
		size_t room = control->room ? 2 * control->room : 16384;
		char *grown = room <= LINE_SIZE_MAX ? realloc(control->line, room) : NULL;
		if (!grown) {
			return room <= LINE_SIZE_MAX ? -ENOMEM : -EMSGSIZE;
		}
		control->line = grown;
		control->room = room;
	}
	ssize_t count = recv(control->fd, control->line + control->length,
		control->room - control->length - 1, MSG_DONTWAIT);
	if (count <= 0) {
		return count < 0 ? -errno : -ECONNRESET;
	}
	control->length += (size_t)count;
	return 0;
}

static void forget_last_line(struct control *control)
{
	if (control->taken > 0) {
		control->length -= control->taken;
		memmove(control->line, control->line + control->taken, control->length);
		control->taken = 0;
	}
}

/*
 * json-c leaves out what it has no memory for, or dies of it: so we look first whether there is as
 * much as its objects may take, and nobody else here takes it before they do.
 */
static int parse(const char *line, size_t length, struct json_object **objectp)
{
	void *room = malloc(ROOM_LEAST + ROOM_PER_BYTE * length);

	*objectp = NULL;
	if (!room) {
		return -ENOMEM;
	}
	free(room);
	errno = 0;
	*objectp = json_tokener_parse(line);
	if (errno == ENOMEM) {
		json_object_put(*objectp);
		*objectp = NULL;
		return -ENOMEM;
	}
	return json_object_is_type(*objectp, json_type_object) ? 0 : -EBADMSG;
}

int control_next(struct control *control, bool waits, struct json_object **objectp)
{
	char *newline;

	forget_last_line(control);
	while (!(newline = control->line ? memchr(control->line, '\n', control->length) : NULL)) {
		int result = fill(control);
		if (result == -EAGAIN && waits) {
			struct pollfd pollfd = {.fd = control->fd, .events = POLLIN};
			result = poll(&pollfd, 1, -1) < 0 && errno != EINTR ? -errno : 0;
		}
		if (result < 0) {
			return result;
		}
	}
	*newline = '\0';
	control->taken = (size_t)(newline - control->line) + 1;
	return parse(control->line, control->taken, objectp);
}

/* 0 or a negative errno, told. */
static int greet(struct control *control)
{
	struct json_object *version = NULL;
	struct json_object *error = NULL;
	int result = control_next(control, true, &control->greeting);

	if (result == 0 && json_object_object_get_ex(control->greeting, "error", &error)) {
		control_complain_of(error);
		return -EBUSY;
	}
	if (result == 0 && (!json_object_object_get_ex(control->greeting, "version", &version) ||
				   json_object_get_int(version) != CONTROL_VERSION)) {
		result = -EBADMSG;
	}
	return result < 0 ? complain(result) : 0;
}

int control_open(struct control *control, const struct control_options *options)
{
	*control = (struct control){.fd = -1};
	int result = options->socket ? connect_to(options->socket, &control->fd)
				     : connect_to_first(options, &control->fd);
	result = result < 0 ? complain(result) : greet(control);
	if (result < 0) {
		control_close(control);
	}
	return result;
}

void control_close(struct control *control)
{
	json_object_put(control->greeting);
	close_fd(&control->fd);
	free(control->line);
	*control = (struct control){.fd = -1};
}

struct json_object *control_request(const char *name)
{
	struct json_object *request = json_object_new_object();

	json_add(request, "request", json_object_new_string(name));
	return request;
}

static int send_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
		if (sent < 0 && errno != EINTR) {
			return -errno;
		}
		text += sent < 0 ? 0 : sent;
		length -= sent < 0 ? 0 : (size_t)sent;
	}
	return 0;
}

void control_complain_of(struct json_object *error)
{
	struct json_object *text = NULL;

	json_object_object_get_ex(error, "text", &text);
	(void)fprintf(stderr, "usher: usherd refused the request: %s\n",
		text ? json_object_get_string(text) : "it does not say why");
}

int control_ask_quietly(
	struct control *control, struct json_object *request, struct json_object **answerp)
{
	const char *text = json_text(request);
	int result = text ? send_all(control->fd, text, strlen(text)) : -ENOMEM;

	if (result == 0) {
		result = send_all(control->fd, "\n", 1);
	}
	json_object_put(request);
	if (result == 0) {
		result = control_next(control, true, answerp);
	}
	return result == 0 && json_object_object_get_ex(*answerp, "error", NULL) ? -EPERM : result;
}

int control_ask(struct control *control, struct json_object *request, struct json_object **answerp)
{
	struct json_object *error = NULL;
	int result = control_ask_quietly(control, request, answerp);

	if (result < 0 && result != -EPERM) {
		return complain(result);
	}
	if (json_object_object_get_ex(*answerp, "error", &error)) {
		control_complain_of(error);
		json_object_put(*answerp);
		*answerp = NULL;
		return -EPERM;
	}
	return 0;
}

int control_exchange(const struct control_options *options, struct json_object *request,
	struct json_object **answerp)
{
	struct control control;
	int result = control_open(&control, options);

	if (result < 0) {
		json_object_put(request);
		return result;
	}
	result = control_ask(&control, request, answerp);
	control_close(&control);
	return result;
}

int control_print(struct json_object *object)
{
	const char *text = json_text(object);

	if (!text) {
		return complain(-ENOMEM);
	}
	(void)puts(text);
	return 0;
}
