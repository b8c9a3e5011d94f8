/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/client.h"
#include "daemon/context.h"
#include "daemon/journal.h"

/* How many are accepted before others are served. */
#define ACCEPTS_AT_ONCE 16

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Takes one connection out of the queue and closes it. */
static void turn_away(struct server *server)
{
	close_fd(&server->reserve);
	int socket = accept4(server->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	close_fd(&socket);
	server->reserve = open_reserve();
	unsigned int others;
	if (journal_may_tell(&server->turned_away, uv_now(server->poll.loop), &others)) {
		journal_error("a client was turned away, and %u since this was told last: no "
			      "descriptors are left; raise LimitNOFILE, or lower the limits in "
			      "usherd.ini",
			others);
	}
}

static bool accept_one(struct server *server)
{
	int socket = accept4(server->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (socket >= 0) {
		client_start(server->context, socket);
		return true;
	}
	if ((errno == EMFILE || errno == ENFILE) && server->reserve >= 0) {
		turn_away(server);
		return true;
	}
	return errno == EINTR || errno == ECONNABORTED;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct server *server = container_of(poll, struct server, poll);

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPTS_AT_ONCE && accept_one(server); i++) {
	}
}

int server_init(struct server *server, struct context *context, int socket)
{
	*server = (struct server){.context = context, .socket = socket, .reserve = open_reserve()};
	int result = uv_poll_init(context->loop, &server->poll, socket);
	if (result < 0) {
		close_fd(&server->socket);
		close_fd(&server->reserve);
		return result;
	}
	return uv_poll_start(&server->poll, UV_READABLE, on_readable);
}

void server_finish(struct server *server)
{
	uv_close((uv_handle_t *)&server->poll, NULL);
	close_fd(&server->socket);
	close_fd(&server->reserve);
}
