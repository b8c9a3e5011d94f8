/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all connections and sessions of one daemon share. It belongs to the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "daemon/journal.h"
#include "daemon/metrics.h"
#include "daemon/peer.h"
#include "daemon/store.h"
#include "daemon/tally.h"

struct client;
struct connection;
struct config;
struct ending;
struct reload;
struct session;
struct watcher;

LIST_HEAD(client_list, client);
LIST_HEAD(ending_list, ending);
LIST_HEAD(session_list, session);
LIST_HEAD(watcher_list, watcher);

struct context {
	uv_loop_t *loop;
	struct config *config; /* in force for what begins now */
	struct peer self;
	char *broker_program;
	uint32_t seccomp_flags; /* those of WIRE_FILTER that this kernel has */
	uint64_t last_session;
	struct client_list clients;
	struct session_list sessions;
	struct ending_list endings;   /* sessions that somebody ends */
	struct watcher_list watchers; /* who looks at decisions */
	struct tally clients_tally, sessions_tally;
	struct journal_repeat too_many; /* clients, as the journal was told */
	struct metrics metrics;
	struct reload *reload;        /* under way, or NULL */
	bool is_stopped;              /* for good: nobody comes after us */
	struct connection *stops_for; /* who waits for the last session to end, or NULL */
	bool stops_by_ending;         /* ... and does not wait for what cannot be found */
	const char *config_file;      /* NULL: the usual place */
	uint64_t last_reload;
	int64_t started;    /* seconds since the epoch */
	struct store store; /* what the next daemon finds of ours */
};
