/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream lives as long as it is read, and for as long as questions of it have no answer.
 */
#include "daemon/broker/dns_server.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

#define AT_ONCE     64u /* datagrams, before somebody else gets his turn */
#define STREAMS_MAX 64u
#define IDLE_MS     10000u
#define UNANSWERED  64u   /* questions of one stream; then it is read no more */
#define QUESTION    2048u /* bytes: a name, and some options */

struct listener {
	struct dns_server *server;
	uv_poll_t poll;
	int fd;
};

struct dns_server {
	uv_loop_t *loop;
	struct listener datagram, datagram6, stream, stream6;
	size_t stream_count;
	dns_server_question *question;
	void *user;
};

struct dns_stream {
	struct dns_server *server;
	uv_poll_t poll;
	uv_timer_t idle;
	int fd;                  /* -1: closed */
	unsigned int unanswered; /* origins that refer to it */
	unsigned int handles;
	uint8_t bytes[NS_INT16SZ + QUESTION];
	size_t filled;
};

/* ---- datagrams ---- */

/* True if there was one. */
static bool take_datagram(struct listener *listener)
{
	struct dns_origin origin = {.socket = listener->fd};
	uint8_t message[QUESTION];
	struct iovec part = {message, sizeof(message)};
	struct msghdr header = {.msg_name = &origin.from,
		.msg_namelen = sizeof(origin.from),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = origin.asked,
		.msg_controllen = sizeof(origin.asked)};
	ssize_t size = recvmsg(listener->fd, &header, MSG_DONTWAIT);

	if (size < 0) {
		return errno == ECONNREFUSED; /* somebody did not wait for his answer */
	}
	origin.from_size = header.msg_namelen;
	origin.asked_size = header.msg_controllen;
	if (!(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		listener->server->question(listener->server->user, &origin, message, (size_t)size);
	}
	return true;
}

static void on_datagram(uv_poll_t *poll, int status, int events)
{
	struct listener *listener = container_of(poll, struct listener, poll);

	(void)status;
	(void)events;
	for (unsigned int i = 0; i < AT_ONCE && take_datagram(listener); i++) {
	}
}

/* From the address that was asked: its control message of the way in serves on the way out. */
static void reply_datagram(const struct dns_origin *origin, const uint8_t *message, size_t size)
{
	_Alignas(struct cmsghdr) uint8_t control[sizeof(origin->asked)];
	struct iovec part = {(void *)message, size};
	struct msghdr header = {.msg_name = (void *)&origin->from,
		.msg_namelen = origin->from_size,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = origin->asked_size};

	memcpy(control, origin->asked, sizeof(control));
	struct cmsghdr *asked = CMSG_FIRSTHDR(&header);
	if (asked && asked->cmsg_level == IPPROTO_IP) {
		struct in_pktinfo *info = (void *)CMSG_DATA(asked);
		info->ipi_spec_dst = info->ipi_addr;
	}
	(void)sendmsg(origin->socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- streams ---- */

static void release_if_unused(struct dns_stream *stream)
{
	if (stream->handles == 0 && stream->unanswered == 0) {
		free(stream);
	}
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct dns_stream *stream = container_of((uv_poll_t *)handle, struct dns_stream, poll);

	stream->handles--;
	release_if_unused(stream);
}

static void on_idle_closed(uv_handle_t *handle)
{
	struct dns_stream *stream = container_of((uv_timer_t *)handle, struct dns_stream, idle);

	stream->handles--;
	release_if_unused(stream);
}

static void close_stream(struct dns_stream *stream)
{
	if (stream->fd < 0) {
		return;
	}
	stream->server->stream_count--;
	uv_close((uv_handle_t *)&stream->poll, on_poll_closed);
	uv_close((uv_handle_t *)&stream->idle, on_idle_closed);
	close_fd(&stream->fd);
}

static void on_idle(uv_timer_t *timer)
{
	close_stream(container_of(timer, struct dns_stream, idle));
}

/* Hands on the questions that are there whole. False if what comes is none. */
static bool take_questions(struct dns_stream *stream)
{
	size_t begin = 0;

	while (stream->fd >= 0 && stream->filled - begin >= NS_INT16SZ) {
		size_t size = ns_get16(stream->bytes + begin);
		struct dns_origin origin = {.stream = stream};

		if (size > QUESTION || stream->unanswered == UNANSWERED) {
			return false;
		}
		if (stream->filled - begin < NS_INT16SZ + size) {
			break;
		}
		stream->unanswered++;
		stream->server->question(
			stream->server->user, &origin, stream->bytes + begin + NS_INT16SZ, size);
		begin += NS_INT16SZ + size;
	}
	memmove(stream->bytes, stream->bytes + begin, stream->filled - begin);
	stream->filled -= begin;
	return true;
}

static void on_stream(uv_poll_t *poll, int status, int events)
{
	struct dns_stream *stream = container_of(poll, struct dns_stream, poll);
	ssize_t size = -1;

	(void)events;
	if (status == 0) {
		size = recv(stream->fd, stream->bytes + stream->filled,
			sizeof(stream->bytes) - stream->filled, MSG_DONTWAIT);
	}
	if (size < 0 && errno == EAGAIN && status == 0) {
		return;
	}
	if (size <= 0) {
		close_stream(stream);
		return;
	}
	stream->filled += (size_t)size;
	uv_timer_start(&stream->idle, on_idle, IDLE_MS, 0);
	if (!take_questions(stream)) {
		close_stream(stream);
	}
}

/* Consumes the socket. */
static void add_stream(struct dns_server *server, int fd)
{
	struct dns_stream *stream =
		server->stream_count < STREAMS_MAX ? calloc(1, sizeof(*stream)) : NULL;

	if (!stream || uv_poll_init(server->loop, &stream->poll, fd) < 0) {
		free(stream);
		close(fd);
		return;
	}
	uv_timer_init(server->loop, &stream->idle);
	stream->server = server;
	stream->fd = fd;
	stream->handles = 2;
	server->stream_count++;
	uv_timer_start(&stream->idle, on_idle, IDLE_MS, 0);
	uv_poll_start(&stream->poll, UV_READABLE, on_stream);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct listener *listener = container_of(poll, struct listener, poll);
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)status;
	(void)events;
	if (fd >= 0) {
		add_stream(listener->server, fd);
	}
}

static void reply_stream(struct dns_stream *stream, const uint8_t *message, size_t size)
{
	uint8_t length[NS_INT16SZ];
	struct iovec parts[] = {{length, sizeof(length)}, {(void *)message, size}};
	struct msghdr header = {.msg_iov = parts, .msg_iovlen = array_length(parts)};

	stream->unanswered--;
	ns_put16((unsigned int)size, length);
	/* Half an answer would be taken for the beginning of the next. */
	if (stream->fd >= 0 && size > 0 &&
		sendmsg(stream->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) !=
			(ssize_t)(sizeof(length) + size)) {
		close_stream(stream);
	}
	release_if_unused(stream);
}

void dns_server_reply(const struct dns_origin *origin, const uint8_t *message, size_t size)
{
	if (origin->stream) {
		reply_stream(origin->stream, message, size);
	} else if (size > 0) {
		reply_datagram(origin, message, size);
	}
}

/* ---- both ---- */

/* A family that is not there has no socket. */
static int listen_on(struct dns_server *server, struct listener *listener, int *fd, uv_poll_cb read)
{
	listener->server = server;
	listener->fd = steal_fd(fd);
	if (listener->fd < 0) {
		return 0;
	}
	int error = uv_poll_init(server->loop, &listener->poll, listener->fd);
	return error < 0 ? error : uv_poll_start(&listener->poll, UV_READABLE, read);
}

int dns_server_new(struct dns_server **serverp, uv_loop_t *loop, struct dns_space_sockets *sockets,
	dns_server_question *question, void *user)
{
	struct dns_server *server = calloc(1, sizeof(*server));

	if (!server) {
		return -ENOMEM;
	}
	server->loop = loop;
	server->question = question;
	server->user = user;
	*serverp = server; /* for the life of the broker */
	int error = listen_on(server, &server->datagram, &sockets->datagram, on_datagram);
	if (error == 0) {
		error = listen_on(server, &server->datagram6, &sockets->datagram6, on_datagram);
	}
	if (error == 0) {
		error = listen_on(server, &server->stream, &sockets->stream, on_connection);
	}
	if (error == 0) {
		error = listen_on(server, &server->stream6, &sockets->stream6, on_connection);
	}
	return error;
}
