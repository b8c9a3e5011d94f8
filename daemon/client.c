/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/discard.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/wire.h"
#include "daemon/client_state.h"
#include "daemon/config.h"
#include "daemon/context.h"
#include "daemon/handover.h"
#include "daemon/journal.h"
#include "daemon/parcel.h"
#include "daemon/prepare.h"
#include "daemon/session.h"

static void on_handle_closed(struct client *client)
{
	if (--client->open_handles == 0) {
		free(client);
	}
}

static void on_poll_closed(uv_handle_t *handle)
{
	on_handle_closed(container_of((uv_poll_t *)handle, struct client, poll));
}

static void on_timer_closed(uv_handle_t *handle)
{
	on_handle_closed(container_of((uv_timer_t *)handle, struct client, timer));
}

/*
 * What the client has sent and we have not read would turn its view of our last words into
 * ECONNRESET.
 */
static void hang_up(int *socket)
{
	discard_unread(*socket);
	close_fd(socket);
}

void client_drop(struct client *client)
{
	struct context *context = client->context;

	LIST_REMOVE(client, entry);
	tally_leave(&context->clients_tally, client->uid);
	if (client->has_place) {
		tally_leave(&context->sessions_tally, client->uid);
	}
	if (client->preparation) {
		prepare_forget(client->preparation);
	}
	if (client->session) {
		session_abort(client->session);
	}
	uv_close((uv_handle_t *)&client->poll, on_poll_closed);
	uv_close((uv_handle_t *)&client->timer, on_timer_closed);
	hang_up(&client->socket);
	parcel_discard(&client->log);
	parcel_discard(&client->verbose);
	close_fd(&client->snapshot);
	peer_finish(&client->peer);
	config_unref(client->config);
	free(client->policy);
	free(client->command);
	free(client->user);
}

static void send_refused(int socket, int error, const char *text)
{
	char packet[sizeof(struct wire_refused) + WIRE_TEXT_MAX];
	size_t size = wire_refused_make(packet, error, text);

	/* One who does not read it has not asked for it. */
	(void)fdpass_send(socket, packet, size, NULL, 0);
}

void client_refuse(struct client *client, int error, const char *format, ...)
{
	char text[WIRE_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	journal_notice("refused uid %u, pid %d: %s", client->uid, client->pid, text);
	client->context->metrics.sessions_refused++;
	send_refused(client->socket, error, text);
	client_drop(client);
}

static void on_timeout(uv_timer_t *timer)
{
	struct client *client = container_of(timer, struct client, timer);

	client_refuse(client, -ETIMEDOUT, "%s within %u seconds", handover_missing(client),
		client->config->handshake_seconds);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	static char buffer[WIRE_PACKET_MAX];
	struct client *client = container_of(poll, struct client, poll);
	int fds[FDPASS_MAX];
	size_t fd_count;

	(void)status;
	(void)events;
	ssize_t size = fdpass_receive(client->socket, buffer, sizeof(buffer), fds, &fd_count);
	if (size == -EAGAIN) {
		return;
	}
	if (size == -EBADMSG) {
		client_refuse(client, -EPROTO, "a packet came that is too large");
		return;
	}
	if (size <= 0) {
		client_drop(client); /* it went away, and so does what was made for it */
		return;
	}
	struct packet packet = {.data = buffer, .fds = fds};
	handover_take(client, &packet, (size_t)size, fd_count);
	fdpass_close_all(fds, fd_count);
}

static void tell_too_many(struct context *context, const struct peer *peer)
{
	unsigned int others;

	if (journal_may_tell(&context->too_many, uv_now(context->loop), &others)) {
		journal_notice("refused uid %u, pid %d: too many connections; so were %u since "
			       "this was told last",
			peer->uid, peer->pid, others);
	}
}

/* Enters the new connection into the tally of hand-overs, or says why not. */
static int admit(struct context *context, int socket, struct peer *peer)
{
	int result = peer_init(peer, socket);

	if (result < 0) {
		journal_notice(
			"refused a client: who it is cannot be found out: %s", strerror(-result));
		send_refused(socket, result,
			result == -ESRCH ? "usherd cannot see your process: it has ended, or lives "
					   "in another "
					   "process namespace; use --embedded there"
					 : "usherd cannot find out who you are");
		return result;
	}
	result = tally_enter(&context->clients_tally, peer->uid, context->config->clients);
	if (result < 0) {
		tell_too_many(context, peer);
		send_refused(socket, result, "too many connections wait for usherd; try again");
		peer_finish(peer);
	}
	return result;
}

static int start_handles(struct client *client)
{
	uv_loop_t *loop = client->context->loop;

	int result = uv_poll_init(loop, &client->poll, client->socket);
	if (result < 0) {
		return result;
	}
	uv_timer_init(loop, &client->timer);
	client->open_handles = 2;
	uv_poll_start(&client->poll, UV_READABLE | UV_DISCONNECT, on_readable);
	uv_timer_start(&client->timer, on_timeout, 1000ull * client->config->handshake_seconds, 0);
	return 0;
}

void client_start(struct context *context, int socket)
{
	cleanup_fd int connection = socket;
	cleanup_free struct client *client = calloc(1, sizeof(*client));
	struct peer peer;

	if (!client || admit(context, connection, &peer) < 0) {
		hang_up(&connection);
		return;
	}
	*client = (struct client){.context = context,
		.socket = connection,
		.peer = peer,
		.uid = peer.uid,
		.pid = peer.pid,
		.log = -1,
		.verbose = -1,
		.snapshot = -1};
	client->config = config_ref(context->config);
	if (start_handles(client) < 0) {
		tally_leave(&context->clients_tally, peer.uid);
		peer_finish(&client->peer);
		config_unref(client->config);
		return;
	}
	steal_fd(&connection);
	LIST_INSERT_HEAD(&context->clients, client, entry);
	steal_pointer(&client);
}

void client_leave_all(struct context *context)
{
	while (!LIST_EMPTY(&context->clients)) {
		struct client *client = LIST_FIRST(&context->clients);
		if (client->session) {
			session_detach(steal_pointer(&client->session));
		}
		client_drop(client);
	}
}

void client_refuse_all(struct context *context, const char *text)
{
	while (!LIST_EMPTY(&context->clients)) {
		client_refuse(LIST_FIRST(&context->clients), -ESHUTDOWN, "%s", text);
	}
}
