/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/handover.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/admission.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/escape.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/wire.h"
#include "daemon/client_state.h"
#include "daemon/config.h"
#include "daemon/context.h"
#include "daemon/descriptor.h"
#include "daemon/journal.h"
#include "daemon/journal_record.h"
#include "daemon/parcel.h"
#include "daemon/prepare.h"
#include "daemon/session.h"

/* Of a command line that is shown to people. */
#define COMMAND_LENGTH_MAX 512u

#define KNOWN_FLAGS ((uint32_t)(WIRE_HELLO_LOG | WIRE_HELLO_VERBOSE | WIRE_HELLO_LANDLOCK))

static void send_filter(struct client *client, const struct preparation *preparation)
{
	static char packet[WIRE_PACKET_MAX];
	const struct wire_filter_parts parts =
		enforcement_parts(&preparation->enforcement, client->context->seccomp_flags);

	assert(parts.count <= WIRE_FILTER_MAX);
	int result = fdpass_send(client->socket, packet, wire_filter_make(packet, &parts), NULL, 0);
	if (result < 0) {
		client_refuse(
			client, result, "the filter could not be sent: %s", strerror(-result));
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
	return preparation->enforcement.network != WIRE_NETWORK_BROKER ||
	       peer_is_in_our_network(&client->peer);
}

static void on_prepared(struct preparation *preparation, void *owner)
{
	struct client *client = owner;

	client->preparation = NULL;
	if (preparation->report) {
		log_lines(preparation->report);
	}
	if (preparation->error < 0) {
		client_refuse(client, preparation->error, "%s",
			preparation->text ? preparation->text : "out of memory");
	} else if (!may_have_network(client, preparation)) {
		client_refuse(client, -EPERM,
			"'net = broker' would give you the network of usherd, and you live in "
			"another; use --embedded or --net=none");
	} else {
		client->snapshot = steal_fd(&preparation->snapshot);
		client->user = steal_pointer(&preparation->user);
		client->landlock = preparation->enforcement.landlock;
		client->given_count = preparation->enforcement.given.count;
		send_filter(client, preparation);
	}
	preparation_free(preparation);
}

/* Takes *fd, and puts it away. */
static int take_log(int *log, int *fd)
{
	if (!descriptor_is_writable(*fd)) {
		return -EBADF;
	}
	int result = parcel_wrap(fd);
	*log = result < 0 ? -1 : steal_fd(fd);
	return result;
}

static int take_logs(struct client *client, const struct wire_hello *hello, int *fds)
{
	int result = 0;

	if (hello->flags & WIRE_HELLO_LOG) {
		result = take_log(&client->log, fds++);
	}
	if (result == 0 && (hello->flags & WIRE_HELLO_VERBOSE)) {
		result = take_log(&client->verbose, fds);
	}
	return result;
}

/* As it is shown to people, from whom it can hide nothing. NULL without memory. */
static char *shown_command(const char *command)
{
	char *shown = escape_bytes(command);

	if (shown && strlen(shown) > COMMAND_LENGTH_MAX) {
		shown[COMMAND_LENGTH_MAX] = '\0';
	}
	return shown;
}

/* By what was said now; it has its place. */
static void prepare(struct client *client, const struct wire_hello_strings *strings)
{
	client->policy = strdup(strings->policy);
	client->command = shown_command(strings->command);
	int result = client->policy && client->command
			     ? prepare_start(&client->preparation, client->context->loop,
				       client->config, &client->peer, strings, on_prepared, client)
			     : -ENOMEM;
	if (result < 0) {
		client_refuse(client, result, "the policy cannot be loaded: %s",
			result == -EAGAIN ? "usherd is at a limit of processes; wait, or raise "
					    "TasksMax= or ulimit -u"
					  : strerror(-result));
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
	parcel_discard(&client->log);
	parcel_discard(&client->verbose);
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
		client_refuse(client, -EPROTO, "the HELLO is malformed");
		return;
	}
	bool is_second = client->phase == CLIENT_LISTENER;
	if (is_second && !may_say_again(client, &strings)) {
		client_refuse(client, -EPROTO, "a second HELLO came out of turn");
		return;
	}
	if (is_second) {
		forget_hello(client);
	}
	int result = take_logs(client, hello, packet->fds);
	if (result < 0) {
		client_refuse(client, result, "a log descriptor %s%s",
			result == -EBADF ? "is not open for writing" : "cannot be kept: ",
			result == -EBADF ? "" : strerror(-result));
		return;
	}
	if (is_second) {
		prepare(client, &strings);
		return;
	}
	result = admission_enter(client->context, client->config, &client->peer, strings.policy,
		reason, sizeof(reason));
	if (result < 0) {
		client_refuse(client, result, "%s", reason);
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
	client_drop(client);
}

static void on_session_failed(void *owner, int error, const char *text)
{
	struct client *client = owner;

	client->session = NULL;
	client_refuse(client, error, "%s", text);
}

static const struct session_events session_events = {
	.ready = on_session_ready, .failed = on_session_failed};

/* It comes again: the daemon to which it came first has died, and has left its session to us. */
static void attach(struct client *client, struct session *session)
{
	int result = session_attach(session, &session_events, client);

	if (result < 0) {
		client_refuse(client, result, "your hand-over is under way already");
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
		client_refuse(client, -EINVAL,
			"the descriptor that was handed over is not a seccomp listener");
		return;
	}
	if (!brings_sockets(client, packet)) {
		client_refuse(
			client, -EINVAL, "not all sockets were handed over that the policy names");
		return;
	}
	pid_t tid = peer_thread(&client->peer, message->tid);
	if (tid < 0) {
		client_refuse(client, tid, "thread %d is not one of the client's", message->tid);
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
		client_refuse(
			client, result, "the broker cannot be started: %s", strerror(-result));
		return;
	}
	client->phase = CLIENT_STARTING;
}

static void on_client_refused(struct client *client, struct packet *packet)
{
	const struct wire_refused *refused = packet->data;

	journal_notice("uid %u, pid %d gave up: %s", client->uid, client->pid,
		(const char *)(refused + 1));
	client_drop(client);
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

void handover_take(struct client *client, struct packet *packet, size_t size, size_t fd_count)
{
	int result = phases[client->phase].reads
			     ? wire_check(phases[client->phase].wire, packet->data, size, fd_count)
			     : -EPROTO;

	if (result == -EPROTONOSUPPORT) {
		client_refuse(client, result,
			"usherd speaks version %u of the protocol and you do not; install usher "
			"and "
			"usherd of the same release",
			WIRE_VERSION);
		return;
	}
	if (result < 0 || !handlers[wire_type_of(packet->data)]) {
		client_refuse(client, -EPROTO, "a packet came that is malformed or out of turn");
		return;
	}
	handlers[wire_type_of(packet->data)](client, packet);
}

const char *handover_missing(const struct client *client)
{
	static const char *const missing[] = {
		[CLIENT_HELLO] = "no HELLO came",
		[CLIENT_PREPARING] = "the policy was not loaded",
		[CLIENT_LISTENER] = "no LISTENER came",
		[CLIENT_STARTING] = "the broker was not ready",
	};
	static_assert(array_length(missing) == CLIENT_PHASES, "one for each phase");

	return missing[client->phase];
}
