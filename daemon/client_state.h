/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One who connects to have a session, for the two files that serve him: client.c keeps the
 * connection and its end, handover.c does what his packets ask for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <uv.h>

#include "daemon/peer.h"

struct config;
struct context;
struct preparation;
struct session;

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
	int log, verbose; /* each in a parcel of its own; -1 */
	int snapshot;
	uint32_t landlock;               /* operations that the filter leaves to it */
	size_t given_count;              /* sockets that the policy names */
	struct preparation *preparation; /* CLIENT_PREPARING */
	struct session *session;         /* CLIENT_STARTING */
};

/* A packet, with its descriptors; those that are not stolen are closed. */
struct packet {
	const void *data;
	int *fds;
};

/* Ends the connection; what was made for the client is gone when this returns. */
void client_drop(struct client *client);

/* Says why, and drops him. `error` is a negative errno. */
__attribute__((format(printf, 3, 4))) void client_refuse(
	struct client *client, int error, const char *format, ...);
