/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets by which the session asks, on the loop of the main thread: datagrams and streams of
 * the broker's own network namespace (dns_space.h). A question comes with its origin; the answer
 * goes back there at any later time, and nowhere if who asked has left.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "daemon/broker/dns_space.h"

struct dns_server;
struct dns_stream;

/* Whoever has one gives it to dns_server_reply, once. */
struct dns_origin {
	struct dns_stream *stream; /* NULL: a datagram */
	int socket;
	struct sockaddr_storage from;
	socklen_t from_size;
	uint8_t asked[64]; /* the control message with the address that was asked */
	size_t asked_size;
};

typedef void dns_server_question(
	void *user, const struct dns_origin *origin, const uint8_t *message, size_t size);

/* Consumes the sockets. 0 or a negative errno. */
int dns_server_new(struct dns_server **serverp, uv_loop_t *loop, struct dns_space_sockets *sockets,
	dns_server_question *question, void *user);

/* `size` 0: nothing is said. Answers that cannot be sent at once are lost, as on any network. */
void dns_server_reply(const struct dns_origin *origin, const uint8_t *message, size_t size);
