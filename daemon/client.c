/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/client.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/admission.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/wire.h"
#include "daemon/config.h"
#include "daemon/context.h"
#include "daemon/descriptor.h"
#include "daemon/journal.h"
#include "daemon/journal_record.h"
#include "daemon/prepare.h"
#include "daemon/session.h"

/* Of a command line that is shown to people. */
#define COMMAND_LENGTH_MAX 512u

#define KNOWN_FLAGS ((uint32_t)(WIRE_HELLO_LOG | WIRE_HELLO_VERBOSE | WIRE_HELLO_LANDLOCK))

enum client_phase {
	CLIENT_HELLO,
	CLIENT_PREPARING,
	CLIENT_LISTENER,
	CLIENT_STARTING,
	CLIENT_PHASES
};

struct client {
	LIST_ENTRY(client) entry;
	struct context *context;
	struct config *config; /* as it was when the client came */
	enum client_phase phase;
	int socket;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned int open_handles;
	struct peer peer;
	uid_t uid; /* the peer's uid and pid, also when a session has taken the peer */
	pid_t pid;
	bool has_place; /* in the tally of sessions */
	char *policy, *command, *user;
	int log, verbose, snapshot;
	uint32_t landlock;               /* operations that the filter leaves to it */
	size_t given_count;              /* sockets that the policy names */
	struct preparation *preparation; /* CLIENT_PREPARING */
	struct session *session;         /* CLIENT_STARTING */
};

/* A packet that has passed its check, with its descriptors; those that are not stolen are closed.
 */
struct packet {
	const void *data;
	int *fds;
};

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
static void drain(int socket)
{
	char byte;

	shutdown(socket, SHUT_RD);
	for (int i = 0; i < 64 && recv(socket, &byte, 1, MSG_DONTWAIT) > 0; i++) {
	}
}

/* Ends the connection; what was made for the client is gone when this returns. */
static void drop(struct client *client)
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
	drain(client->socket);
	close_fd(&client->socket);
	close_fd(&client->log);
	close_fd(&client->verbose);
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

static __attribute__((format(printf, 3, 4))) void refuse(
	struct client *client, int error, const char *format, ...)
{
	char text[WIRE_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	journal_notice("refused uid %u, pid %d: %s", client->uid, client->pid, text);
	client->context->metrics.sessions_refused++;
	send_refused(client->socket, error, text);
	drop(client);
}

static void on_timeout(uv_timer_t *timer)
{
	static const char *const missing[] = {
		[CLIENT_HELLO] = "no HELLO came",
		[CLIENT_PREPARING] = "the policy was not loaded",
		[CLIENT_LISTENER] = "no LISTENER came",
		[CLIENT_STARTING] = "the broker was not ready",
	};
	static_assert(array_length(missing) == CLIENT_PHASES, "one for each phase");
	struct client *client = container_of(timer, struct client, timer);

	refuse(client, -ETIMEDOUT, "%s within %u seconds", missing[client->phase],
		client->config->handshake_seconds);
}

static void send_filter(struct client *client, const struct preparation *preparation)
{
	static char packet[WIRE_PACKET_MAX];
	const struct wire_filter_parts parts = {
		.instructions = preparation->filter.instructions,
		.count = preparation->filter.count,
		.seccomp_flags = client->context->seccomp_flags,
		.execute = preparation->execute.text,
		.execute_size = preparation->execute.size,
		.execute_count = preparation->execute.count,
		.network = preparation->network,
		.landlock = preparation->landlock,
		.grants = preparation->grants.text,
		.grant_size = preparation->grants.size,
		.grant_count = preparation->grants.count,
		.given = preparation->given.text,
		.given_size = preparation->given.size,
		.given_count = preparation->given.count,
	};

	assert(parts.count <= WIRE_FILTER_MAX);
	int result = fdpass_send(client->socket, packet, wire_filter_make(packet, &parts), NULL, 0);
	if (result < 0) {
		refuse(client, result, "the filter could not be sent: %s", strerror(-result));
		return;
	}
	client->phase = CLIENT_LISTENER;
}

static void log_lines(char *text)
{
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		journal_warning("%s", line);
	}
}

/* The broker's connections are ours: whoever has been put into another network gets none of them.
 */
static bool may_have_network(const struct client *client, const struct preparation *preparation)
{
	return preparation->network != WIRE_NETWORK_BROKER || peer_is_in_our_network(&client->peer);
}

static void on_prepared(struct preparation *preparation, void *owner)
{
	struct client *client = owner;

	client->preparation = NULL;
	if (preparation->report) {
		log_lines(preparation->report);
	}
	if (preparation->error < 0) {
		refuse(client, preparation->error, "%s",
			preparation->text ? preparation->text : "out of memory");
	} else if (!may_have_network(client, preparation)) {
		refuse(client, -EPERM,
			"'net = broker' would give you the network of usherd, and you live in "
			"another; use --embedded or --net=none");
	} else {
		client->snapshot = steal_fd(&preparation->snapshot);
		client->user = steal_pointer(&preparation->user);
		client->landlock = preparation->landlock;
		client->given_count = preparation->given.count;
		send_filter(client, preparation);
	}
	preparation_free(preparation);
}

static bool take_logs(struct client *client, const struct wire_hello *hello, int *fds)
{
	if (hello->flags & WIRE_HELLO_LOG) {
		client->log = steal_fd(fds++);
	}
	if (hello->flags & WIRE_HELLO_VERBOSE) {
		client->verbose = steal_fd(fds++);
	}
	return (client->log < 0 || descriptor_is_writable(client->log)) &&
	       (client->verbose < 0 || descriptor_is_writable(client->verbose));
}

/* By what was said now; it has its place. */
static void prepare(struct client *client, const struct wire_hello_strings *strings)
{
	client->policy = strdup(strings->policy);
	client->command = strndup(strings->command, COMMAND_LENGTH_MAX);
	int result = client->policy && client->command
			     ? prepare_start(&client->preparation, client->context->loop,
				       client->config, &client->peer, strings, on_prepared, client)
			     : -ENOMEM;
	if (result < 0) {
		refuse(client, result, "the policy cannot be loaded: %s", strerror(-result));
		return;
	}
	client->phase = CLIENT_PREPARING;
}

/*
 * What Landlock was to do does not suit the client's machine: all of it again, without. A second
 * HELLO asks for the same policy and offers less, so there is never a third.
 */
static void forget_hello(struct client *client)
{
	close_fd(&client->log);
	close_fd(&client->verbose);
	close_fd(&client->snapshot);
	free(steal_pointer(&client->policy));
	free(steal_pointer(&client->command));
	free(steal_pointer(&client->user));
}

static bool may_say_again(const struct client *client, const struct wire_hello_strings *strings)
{
	return client->landlock != 0 && !strings->offers_landlock &&
	       strcmp(strings->policy, client->policy) == 0;
}

static void on_hello(struct client *client, struct packet *packet)
{
	const struct wire_hello *hello = packet->data;
	struct wire_hello_strings strings;
	char reason[WIRE_TEXT_MAX];

	if ((hello->flags & ~KNOWN_FLAGS) || wire_hello_read(packet->data, &strings) < 0) {
		refuse(client, -EPROTO, "the HELLO is malformed");
		return;
	}
	bool is_second = client->phase == CLIENT_LISTENER;
	if (is_second && !may_say_again(client, &strings)) {
		refuse(client, -EPROTO, "a second HELLO came out of turn");
		return;
	}
	if (is_second) {
		forget_hello(client);
	}
	if (!take_logs(client, hello, packet->fds)) {
		refuse(client, -EBADF, "a log descriptor is not open for writing");
		return;
	}
	if (is_second) {
		prepare(client, &strings);
		return;
	}
	int result = admission_enter(client->context, client->config, &client->peer, strings.policy,
		reason, sizeof(reason));
	if (result < 0) {
		refuse(client, result, "%s", reason);
		return;
	}
	client->has_place = true;
	prepare(client, &strings);
}

/* A client that went away before it was told is noticed by its listener, like its end later. */
static void on_session_ready(void *owner)
{
	struct client *client = owner;
	struct session *session = client->session;
	struct wire_ready ready = {
		.header = wire_header_make(WIRE_READY, sizeof(ready)), .session = session->id};

	journal_event(JOURNAL_BEGAN, JOURNAL_INFO, session->id, session->policy,
		"session %llu: policy %s, uid %u, pid %d: %s", (unsigned long long)session->id,
		session->policy, session->peer.uid, session->peer.pid, session->command);
	if (fdpass_send(client->socket, &ready, sizeof(ready), NULL, 0) == 0) {
		client->session = NULL; /* it lives on without us */
	}
	drop(client);
}

static void on_session_failed(void *owner, int error, const char *text)
{
	struct client *client = owner;

	client->session = NULL;
	refuse(client, error, "%s", text);
}

static const struct session_events session_events = {
	.ready = on_session_ready, .failed = on_session_failed};

/* It comes again: the daemon to which it came first has died, and has left its session to us. */
static void attach(struct client *client, struct session *session)
{
	int result = session_attach(session, &session_events, client);

	if (result < 0) {
		refuse(client, result, "your hand-over is under way already");
		return;
	}
	client->session = session;
	client->phase = CLIENT_STARTING;
	if (result == 1) {
		on_session_ready(client);
	}
}

/* The client's own, which its program would have had without us. */
static bool brings_sockets(const struct client *client, const struct packet *packet)
{
	const struct wire_listener *message = packet->data;
	bool are_sockets = message->given_count == client->given_count;

	for (size_t i = 0; are_sockets && i < client->given_count; i++) {
		are_sockets = descriptor_is_socket(packet->fds[1 + i]);
	}
	return are_sockets;
}

static void on_listener(struct client *client, struct packet *packet)
{
	const struct wire_listener *message = packet->data;

	if (!descriptor_is_listener(packet->fds[0])) {
		refuse(client, -EINVAL,
			"the descriptor that was handed over is not a seccomp listener");
		return;
	}
	if (!brings_sockets(client, packet)) {
		refuse(client, -EINVAL, "not all sockets were handed over that the policy names");
		return;
	}
	pid_t tid = peer_thread(&client->peer, message->tid);
	if (tid < 0) {
		refuse(client, tid, "thread %d is not one of the client's", message->tid);
		return;
	}
	struct session *known = session_of(client->context, &client->peer);
	if (known) {
		attach(client, known);
		return;
	}
	struct session_parts parts = {.peer = &client->peer,
		.policy = &client->policy,
		.command = &client->command,
		.user = &client->user,
		.listener = &packet->fds[0],
		.snapshot = &client->snapshot,
		.log = &client->log,
		.verbose = &client->verbose,
		.given = packet->fds + 1,
		.given_count = client->given_count,
		.tid = tid,
		.landlock = client->landlock,
		.events = &session_events,
		.owner = client};
	client->has_place = false;
	int result = session_start(&client->session, client->context, &parts);
	if (result < 0) {
		refuse(client, result, "the broker cannot be started: %s", strerror(-result));
		return;
	}
	client->phase = CLIENT_STARTING;
}

static void on_client_refused(struct client *client, struct packet *packet)
{
	const struct wire_refused *refused = packet->data;

	journal_notice("uid %u, pid %d gave up: %s", client->uid, client->pid,
		(const char *)(refused + 1));
	drop(client);
}

/* What a packet does that is legal in the phase; nothing is in the others. */
static const struct {
	bool reads;
	enum wire_phase wire;
} phases[CLIENT_PHASES] = {
	[CLIENT_HELLO] = {true, WIRE_PHASE_HELLO},
	[CLIENT_LISTENER] = {true, WIRE_PHASE_LISTENER},
};

static void (*const handlers[WIRE_TYPES])(struct client *client, struct packet *packet) = {
	[WIRE_HELLO] = on_hello,
	[WIRE_LISTENER] = on_listener,
	[WIRE_REFUSED] = on_client_refused,
};

static void take_packet(struct client *client, struct packet *packet, size_t size, size_t fd_count)
{
	int result = phases[client->phase].reads
			     ? wire_check(phases[client->phase].wire, packet->data, size, fd_count)
			     : -EPROTO;

	if (result == -EPROTONOSUPPORT) {
		refuse(client, result,
			"usherd speaks version %u of the protocol and you do not; install usher "
			"and "
			"usherd of the same release",
			WIRE_VERSION);
		return;
	}
	if (result < 0 || !handlers[wire_type_of(packet->data)]) {
		refuse(client, -EPROTO, "a packet came that is malformed or out of turn");
		return;
	}
	handlers[wire_type_of(packet->data)](client, packet);
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
		refuse(client, -EPROTO, "a packet came that is too large");
		return;
	}
	if (size <= 0) {
		drop(client); /* it went away, and so does what was made for it */
		return;
	}
	struct packet packet = {.data = buffer, .fds = fds};
	take_packet(client, &packet, (size_t)size, fd_count);
	fdpass_close_all(fds, fd_count);
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
		journal_notice(
			"refused uid %u, pid %d: too many connections", peer->uid, peer->pid);
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
		drain(connection);
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
		drop(client);
	}
}

void client_refuse_all(struct context *context, const char *text)
{
	while (!LIST_EMPTY(&context->clients)) {
		refuse(LIST_FIRST(&context->clients), -ESHUTDOWN, "%s", text);
	}
}
