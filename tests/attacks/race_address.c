/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Races over a connection: the address is rewritten, or the descriptor replaced, while the call is
 * under way. Datagram sockets are used, which can be connected as often as one likes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "tests/attacks/attack.h"
#include "tests/common/address.h"

#define NUMBER 100 /* the descriptor that is replaced */

static const int denied[] = {EHOSTUNREACH, 0};
/* A stream socket that is connected already, or is still at it. */
static const int denied_or_connected[] = {
	EHOSTUNREACH, EISCONN, EALREADY, EINPROGRESS, ECONNABORTED, 0};

struct address_state {
	struct address address;
	volatile uint16_t *port;
	volatile char *letter;
	uint16_t one, other;
	int socket, replacement;
};

static void flip_port(void *pointer)
{
	struct address_state *state = pointer;

	*state->port = htons(state->other);
	*state->port = htons(state->one);
}

static long connect_and_look(void *pointer, const struct world *world)
{
	struct address_state *state = pointer;
	struct sockaddr_in6 peer = {0};
	socklen_t length = sizeof(peer);
	long result =
		raw(SYS_connect, state->socket, &state->address.storage, state->address.length);

	if (result) {
		return result;
	}
	if (getpeername(state->socket, (struct sockaddr *)&peer, &length)) {
		return -ESTALE;
	}
	return ntohs(peer.sin6_port) == world_port(world) ? 0 : -ESTALE;
}

static long race_port(const struct world *world, int family)
{
	struct address_state state = {.one = world->allowed_port, .other = world->denied_port};
	struct race race = {flip_port, connect_and_look, &state};

	state.address = family == AF_INET ? address_ip4("127.0.0.1", state.one)
					  : address_ip6("::1", state.one);
	state.port = &((struct sockaddr_in *)&state.address.storage)->sin_port;
	state.socket = socket(family, SOCK_DGRAM, 0);
	prepare(state.socket >= 0);
	return race_run(&race, world, denied);
}

static long port(const struct world *world)
{
	return race_port(world, AF_INET);
}

static long port6(const struct world *world)
{
	return race_port(world, AF_INET6);
}

static void flip_letter(void *pointer)
{
	struct address_state *state = pointer;

	*state->letter = 'S';
	*state->letter = 'A';
}

static long connect_path(void *pointer, const struct world *world)
{
	struct address_state *state = pointer;
	struct sockaddr_un peer = {0};
	socklen_t length = sizeof(peer);
	long result =
		raw(SYS_connect, state->socket, &state->address.storage, state->address.length);

	if (result) {
		return result;
	}
	if (getpeername(state->socket, (struct sockaddr *)&peer, &length)) {
		return -ESTALE;
	}
	return strstr(peer.sun_path, world_directory(world)) ? 0 : -ESTALE;
}

/* A path that is bound under the very name by which it is reached, so that the peer's name tells.
 */
static long path(const struct world *world)
{
	struct address_state state = {0};
	struct race race = {flip_letter, connect_path, &state};

	prepare(address_parse_unix(&state.address, "dirA/datagram"));
	state.letter = ((struct sockaddr_un *)&state.address.storage)->sun_path + 3;
	state.socket = socket(AF_UNIX, SOCK_DGRAM, 0);
	prepare(state.socket >= 0);
	return race_run(&race, world, denied);
}

/* A link that leads to one socket or to the other; between the two there is a moment without it. */
static void flip_link(void *pointer)
{
	(void)pointer;
	raw(SYS_renameat2, AT_FDCWD, "dirM/one", AT_FDCWD, "dirM/other", RENAME_EXCHANGE);
}

static long unix_link(const struct world *world)
{
	struct address_state state = {0};
	struct race race = {flip_link, connect_path, &state};

	prepare(!symlink("../dirA/datagram", "dirM/one") &&
		!symlink("../dirS/datagram", "dirM/other"));
	prepare(address_parse_unix(&state.address, "dirM/one"));
	state.socket = socket(AF_UNIX, SOCK_DGRAM, 0);
	prepare(state.socket >= 0);
	return race_run(&race, world, denied);
}

/* To one port, by tcp allowed and by udp denied, while the number means one socket or the other. */
static void flip_descriptor(void *pointer)
{
	struct address_state *state = pointer;

	dup2(state->socket, NUMBER);
	dup2(state->replacement, NUMBER);
}

static long connect_replaced(void *pointer, const struct world *world)
{
	struct address_state *state = pointer;
	struct sockaddr_in peer = {0};
	socklen_t length = sizeof(peer);
	long result = raw(SYS_connect, NUMBER, &state->address.storage, state->address.length);

	if (!getpeername(state->socket, (struct sockaddr *)&peer, &length)) {
		return ntohs(peer.sin_port) ==
				       (world->twin ? world->allowed_port : world->stream_port)
			       ? 0
			       : -ESTALE;
	}
	return result < 0 ? result : -ESTALE;
}

static long descriptor(const struct world *world)
{
	uint16_t to = world->twin ? world->allowed_port : world->stream_port;
	struct address_state state = {.address = address_ip4("127.0.0.1", to)};
	struct race race = {flip_descriptor, connect_replaced, &state};

	state.socket = socket(AF_INET, SOCK_DGRAM, 0);
	state.replacement = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	prepare(dup2(state.replacement, NUMBER) == NUMBER);
	return race_run(&race, world, denied_or_connected);
}

/*
 * Listening on a socket that is being connected: the port that it has meanwhile is given back when
 * that fails, as it does after a second where nobody answers, and listen(2) makes it another one.
 */
#define CONNECTING 8

static void *connect_for_ever(void *pointer)
{
	const struct address_state *state = pointer;

	for (;;) {
		(void)connect(state->socket, (const struct sockaddr *)&state->address.storage,
			state->address.length);
	}
	return NULL;
}

/* A listener on the loopback that has no room for anybody. */
static struct address full_listener(void)
{
	struct address address = address_ip4("127.0.0.1", 0);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t length = address.length;

	prepare(listener >= 0 && !bind(listener, (struct sockaddr *)&address.storage, length) &&
		!listen(listener, 0) &&
		!getsockname(listener, (struct sockaddr *)&address.storage, &length));
	for (int i = 0; i < 4; i++) {
		int waiting = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(waiting, (struct sockaddr *)&address.storage, address.length);
	}
	return address;
}

static long listen_while_connecting(const struct world *world)
{
	struct address_state states[CONNECTING];
	struct address address = full_listener();
	time_t end = time(NULL) + 3;
	unsigned int patience = 1;
	pthread_t thread;
	long result = -EALREADY;

	for (int i = 0; i < CONNECTING; i++) {
		states[i].address = address;
		states[i].socket = socket(AF_INET, SOCK_STREAM, 0);
		if (world->twin) {
			struct address any = address_ip4("127.0.0.1", 0);
			prepare(!bind(
				states[i].socket, (struct sockaddr *)&any.storage, any.length));
		}
		/* At rest it is refused as always. */
		result = raw(SYS_listen, states[i].socket, 1);
		if (result == 0) {
			return 0;
		}
		prepare(!setsockopt(states[i].socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience,
				sizeof(patience)) &&
			!pthread_create(&thread, NULL, connect_for_ever, &states[i]));
	}
	for (int i = 0; time(NULL) < end; i++) {
		long answer = raw(SYS_listen, states[i % CONNECTING].socket, 1);
		if (answer == 0) {
			return 0;
		}
		/* What is connecting, and what was caught in time, is refused by others. */
		result = answer == -EINVAL || answer == -EADDRINUSE ? result : answer;
	}
	return result;
}

const struct attack attacks_race_address[] = {
	{"race-port", port},
	{"race-port6", port6},
	{"race-unix-path", path},
	{"race-unix-link", unix_link},
	{"race-descriptor", descriptor},
	{"race-bind-listen", listen_while_connecting},
	{NULL, NULL},
};
