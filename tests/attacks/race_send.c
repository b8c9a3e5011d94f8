/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Races over a message or a bind: address, header, descriptor or control message is changed while
 * the call is under way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/attacks/attack.h"
#include "tests/common/address.h"

#define NUMBER 100 /* the descriptor that is replaced */

static const int denied[] = {EHOSTUNREACH, 0};
static const int denied_or_full[] = {EHOSTUNREACH, EAGAIN, 0};
static const int denied_or_nobody[] = {EHOSTUNREACH, ECONNREFUSED, 0};
static const int denied_or_bound[] = {EHOSTUNREACH, EADDRINUSE, 0};

/* There are many of a kind, which share the time of three. */
static long run_briefly(const struct race *race, const struct world *world, const int *expected)
{
	struct world brief = *world;

	brief.seconds *= 0.3;
	return race_run(race, &brief, expected);
}

struct send_state {
	struct address one, other;
	struct iovec part;
	struct mmsghdr message;
	volatile uint16_t *port;
	uint16_t one_port, other_port;
	int number, socket, receiver;
};

static struct send_state state_of(const struct world *world)
{
	struct address bound = address_ip4("127.0.0.1", world_port(world));
	struct send_state state = {.one = address_ip4("127.0.0.1", world->allowed_port),
		.other = address_ip4("127.0.0.1", world->denied_port),
		.one_port = world->allowed_port,
		.other_port = world->denied_port,
		.part = {(char[]){"x"}, 1},
		.socket = socket(AF_INET, SOCK_DGRAM, 0),
		.receiver = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)};

	prepare(!bind(state.receiver, (struct sockaddr *)&bound.storage, bound.length));
	return state;
}

/* After the state has come to rest where it stays. */
static void aim(struct send_state *state)
{
	state->port = &((struct sockaddr_in *)&state->one.storage)->sin_port;
	state->message.msg_hdr = (struct msghdr){.msg_name = &state->one.storage,
		.msg_namelen = state->one.length,
		.msg_iov = &state->part,
		.msg_iovlen = 1};
}

/* Loopback delivers before the call returns. */
static long look(const struct send_state *state, long result)
{
	char byte;

	if (result < 0) {
		return result;
	}
	return recv(state->receiver, &byte, 1, MSG_DONTWAIT) == 1 ? 0 : -ESTALE;
}

static void flip_port(void *pointer)
{
	struct send_state *state = pointer;

	*state->port =
		htons(*state->port == htons(state->one_port) ? state->other_port : state->one_port);
}

static long try_sendto(void *pointer, const struct world *world)
{
	struct send_state *state = pointer;

	(void)world;
	return look(state,
		raw(SYS_sendto, state->socket, "x", 1, 0, &state->one.storage, state->one.length));
}

static long try_sendmsg(void *pointer, const struct world *world)
{
	struct send_state *state = pointer;

	(void)world;
	return look(state, raw(SYS_sendmsg, state->socket, &state->message.msg_hdr, 0));
}

static long try_sendmmsg(void *pointer, const struct world *world)
{
	struct send_state *state = pointer;

	(void)world;
	return look(state, raw(SYS_sendmmsg, state->socket, &state->message, 1, 0));
}

static long race_port(const struct world *world, long (*attempt)(void *, const struct world *))
{
	struct send_state state = state_of(world);
	struct race race = {flip_port, attempt, &state};

	aim(&state);
	return run_briefly(&race, world, denied);
}

static long sendto_port(const struct world *world)
{
	return race_port(world, try_sendto);
}

static long sendmsg_port(const struct world *world)
{
	return race_port(world, try_sendmsg);
}

static long sendmmsg_port(const struct world *world)
{
	return race_port(world, try_sendmmsg);
}

/* The header points at one address, and at the other. */
static void flip_name(void *pointer)
{
	struct send_state *state = pointer;
	void *volatile *name = &state->message.msg_hdr.msg_name;

	*name = *name == &state->one.storage ? &state->other.storage : &state->one.storage;
}

static long name(const struct world *world)
{
	struct send_state state = state_of(world);
	struct race race = {flip_name, try_sendmsg, &state};

	aim(&state);
	return run_briefly(&race, world, denied);
}

/* It has no name, or one: without it is sent to the peer, which is allowed. */
static void flip_presence(void *pointer)
{
	struct send_state *state = pointer;
	void *volatile *present = &state->message.msg_hdr.msg_name;

	*present = *present ? NULL : &state->other.storage;
}

static long presence(const struct world *world)
{
	struct send_state state = state_of(world);
	struct race race = {flip_presence, try_sendmsg, &state};

	prepare(!connect(state.socket, (struct sockaddr *)&state.one.storage, state.one.length));
	aim(&state);
	state.message.msg_hdr.msg_name = NULL;
	return run_briefly(&race, world, denied_or_nobody);
}

/* The number means a datagram socket, or a unix pair that takes what it gets. */
static void flip_descriptor(void *pointer)
{
	struct send_state *state = pointer;

	dup2(state->socket, NUMBER);
	dup2(state->number, NUMBER);
}

static long try_descriptor(void *pointer, const struct world *world)
{
	struct send_state *state = pointer;
	const struct address *to = world->twin ? &state->one : &state->other;
	long result = look(
		state, raw(SYS_sendto, NUMBER, "x", 1, MSG_DONTWAIT, &to->storage, to->length));

	return result == -EISCONN ? -ESTALE : result;
}

static long descriptor_by(const struct world *world, bool by_process)
{
	struct send_state state = state_of(world);
	struct race race = {flip_descriptor, try_descriptor, &state, by_process};
	int pair[2];

	prepare(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	state.number = pair[0];
	prepare(dup2(state.number, NUMBER) == NUMBER);
	return run_briefly(&race, world, denied_or_full);
}

static long descriptor(const struct world *world)
{
	return descriptor_by(world, false);
}

static long descriptor_of_process(const struct world *world)
{
	return descriptor_by(world, true);
}

/*
 * Of one family at one moment, of the other at the next: to a socket of IPv6 a name without a
 * family is no address, to the one of IPv4 that it can become (IPV6_ADDRFORM) it is an IPv4
 * address, which stands where the other has its flow label.
 */
struct form_state {
	struct send_state send;
	struct address peer;
	struct sockaddr_in6 name;
	_Atomic unsigned int tries;
	unsigned int seen;
};

/* A different moment of each try: most are too early, for then it is asked about, or too late. */
static void flip_form(void *pointer)
{
	struct form_state *state = pointer;
	int family = AF_INET;

	if (state->tries == state->seen) {
		return;
	}
	state->seen = state->tries;
	for (volatile unsigned int i = state->seen % 512 * 64; i > 0; i--) {
	}
	(void)setsockopt(state->send.socket, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family));
}

static long try_form(void *pointer, const struct world *world)
{
	struct form_state *state = pointer;
	int socket_of_six = socket(AF_INET6, SOCK_DGRAM, 0);

	(void)world;
	prepare(!connect(
		socket_of_six, (struct sockaddr *)&state->peer.storage, state->peer.length));
	prepare(dup2(socket_of_six, state->send.socket) == state->send.socket);
	close(socket_of_six);
	state->tries++;
	return look(&state->send,
		raw(SYS_sendto, state->send.socket, "x", 1, 0, &state->name, sizeof(state->name)));
}

static long form(const struct world *world)
{
	uint16_t port = world->twin ? world->allowed_port : world->local_port;
	struct address bound = address_ip4("127.0.0.1", port);
	struct form_state state = {
		.send = {.socket = socket(AF_INET6, SOCK_DGRAM, 0),
			.receiver = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)},
		.peer = address_ip6("::ffff:127.0.0.2", port),
	};
	struct race race = {flip_form, try_form, &state};

	prepare(!bind(state.send.receiver, (struct sockaddr *)&bound.storage, bound.length));
	memcpy(&state.name, &state.peer.storage, sizeof(state.name));
	state.name.sin6_family = AF_UNSPEC;
	state.name.sin6_flowinfo = htonl(INADDR_LOOPBACK);
	return run_briefly(&race, world, denied_or_nobody);
}

/* ---- binding ---- */

struct bind_state {
	struct address address;
	volatile uint16_t *port;
	volatile char *letter;
	uint16_t one, other;
};

static void flip_bind_port(void *pointer)
{
	struct bind_state *state = pointer;

	*state->port = htons(*state->port == htons(state->one) ? state->other : state->one);
}

static long try_bind_port(void *pointer, const struct world *world)
{
	struct bind_state *state = pointer;
	struct sockaddr_in name = {0};
	socklen_t length = sizeof(name);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	long result = raw(SYS_bind, fd, &state->address.storage, state->address.length);

	if (result == 0 && !getsockname(fd, (struct sockaddr *)&name, &length)) {
		result = ntohs(name.sin_port) == (world->twin ? state->one : state->other)
				 ? 0
				 : -ESTALE;
	}
	close(fd);
	return result;
}

static long bind_port(const struct world *world)
{
	struct bind_state state = {.one = world->allowed_port, .other = world->stream_port};
	struct race race = {flip_bind_port, try_bind_port, &state};

	state.address = address_ip4("127.0.0.1", state.one);
	state.port = &((struct sockaddr_in *)&state.address.storage)->sin_port;
	return run_briefly(&race, world, denied);
}

static void flip_letter(void *pointer)
{
	struct bind_state *state = pointer;

	*state->letter = *state->letter == 'A' ? 'S' : 'A';
}

/* Made where it may not be; what was made elsewhere is removed again. */
static long try_bind_path(void *pointer, const struct world *world)
{
	struct bind_state *state = pointer;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	long result = raw(SYS_bind, fd, &state->address.storage, state->address.length);
	bool made = !access(world->twin ? "dirA/made" : "dirS/made", F_OK);

	close(fd);
	unlink("dirA/made");
	unlink("dirS/made");
	return made ? 0 : result < 0 ? result : -ESTALE;
}

static long bind_path(const struct world *world)
{
	struct bind_state state = {0};
	struct race race = {flip_letter, try_bind_path, &state};

	prepare(address_parse_unix(&state.address, "dirA/made"));
	state.letter = ((struct sockaddr_un *)&state.address.storage)->sun_path + 3;
	return run_briefly(&race, world, denied_or_bound);
}

/* A link to one directory or the other. */
static void flip_link(void *pointer)
{
	(void)pointer;
	raw(SYS_renameat2, AT_FDCWD, "dirM/one", AT_FDCWD, "dirM/other", RENAME_EXCHANGE);
}

static long bind_link(const struct world *world)
{
	struct bind_state state = {0};
	struct race race = {flip_link, try_bind_path, &state};

	prepare(!symlink("../dirA", "dirM/one") && !symlink("../dirS", "dirM/other"));
	prepare(address_parse_unix(&state.address, "dirM/one/made"));
	return run_briefly(&race, world, denied_or_bound);
}

/* ---- descriptors in a control message ---- */

#define OURS 9 /* a number that is open here ... */

struct rights_state {
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	volatile int *number;
	volatile size_t *length;
	int pair[2], next;
};

/* ... and numbers that are open in whoever sends in our place. */
static void flip_number(void *pointer)
{
	struct rights_state *state = pointer;

	*state->number = state->next;
	*state->length = CMSG_LEN(sizeof(int)) - 1;
	*state->number = OURS;
	*state->length = CMSG_LEN(sizeof(int));
	state->next = 10 + (state->next + 1) % 32;
}

static bool is_foreign(int fd)
{
	char path[64], link[256] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	prepare(readlink(path, link, sizeof(link) - 1) > 0);
	return !strstr(link, "dirA/file");
}

static long try_rights(void *pointer, const struct world *world)
{
	struct rights_state *state = pointer;
	struct iovec part = {(char[]){"x"}, 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &state->control,
		.msg_controllen = sizeof(state->control)};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} got = {.header = {0}};
	long result = raw(SYS_sendmsg, state->pair[0], &message, MSG_DONTWAIT);
	int fd;

	if (result < 0) {
		return result;
	}
	message.msg_control = &got;
	message.msg_controllen = sizeof(got);
	if (recvmsg(state->pair[1], &message, MSG_DONTWAIT) != 1 || message.msg_controllen == 0 ||
		got.header.cmsg_len != CMSG_LEN(sizeof(int))) {
		return -ESTALE;
	}
	memcpy(&fd, CMSG_DATA(&got.header), sizeof(fd));
	bool foreign = is_foreign(fd);
	close(fd);
	return foreign != world->twin ? 0 : -ESTALE;
}

static long rights(const struct world *world)
{
	static const int expected[] = {EBADF, EINVAL, 0};
	struct rights_state state = {.next = 10};
	struct race race = {flip_number, try_rights, &state};

	state.control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS};
	state.number = (int *)(void *)CMSG_DATA(&state.control.header);
	state.length = &state.control.header.cmsg_len;
	prepare(!socketpair(AF_UNIX, SOCK_DGRAM, 0, state.pair));
	prepare(dup2(open("dirA/file", O_RDONLY), OURS) == OURS);
	*state.number = OURS;
	return run_briefly(&race, world, expected);
}

const struct attack attacks_race_send[] = {
	{"race-sendto-port", sendto_port},
	{"race-sendmsg-port", sendmsg_port},
	{"race-sendmmsg-port", sendmmsg_port},
	{"race-sendmsg-name", name},
	{"race-sendmsg-presence", presence},
	{"race-send-descriptor", descriptor},
	{"race-send-form", form},
	{"race-send-descriptor-process", descriptor_of_process},
	{"race-bind-port", bind_port},
	{"race-bind-path", bind_path},
	{"race-bind-link", bind_link},
	{"race-rights", rights},
	{NULL, NULL},
};
