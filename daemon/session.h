/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session: a listener, its memory, the snapshot of its policy, and the broker that serves it
 * now. The first three live as long as the session; brokers come and go:
 *
 *   STARTING    the first broker proves that it can serve; the client waits
 *   RUNNING     a broker serves
 *   RESTARTING  the broker died; a successor is started on the same descriptors, later and later
 *               if they keep dying
 *
 * A session ends when no process uses its filter any more (the listener hangs up) and its broker
 * is gone. As long as the daemon lives the listener is held here: targets wait, none sees ENOSYS.
 */
#pragma once

#include <sys/queue.h>
#include <uv.h>

#include "daemon/peer.h"
#include "usher/session.h"

struct child;
struct context;

enum session_state { SESSION_STARTING, SESSION_RUNNING, SESSION_RESTARTING, SESSION_STATES };

/* To whom the client still waits; not called after READY has been told, or session_abort. */
struct session_events {
	void (*ready)(void *owner);
	/* It could not be started. The session is no more when this returns. */
	void (*failed)(void *owner, int error, const char *text);
};

struct session {
	LIST_ENTRY(session) entry;
	struct context *context;
	uint64_t id;
	enum session_state state;
	struct peer peer;              /* who asked for it */
	char *policy, *command, *user; /* user: NULL if it has no name */
	int64_t started;               /* seconds since the epoch */
	uint64_t started_ms;           /* of the loop's clock */

	int listener, memory_fd, snapshot, log, verbose;
	pid_t tid;
	struct session_memory *memory;

	struct child *child; /* NULL while RESTARTING */
	char *become, *label;
	uint64_t child_started_ms, child_started_answers;
	unsigned int quick_deaths;
	uv_timer_t retry;

	/* Of the last look at its rate. */
	uint64_t sampled_ms, sampled_answers;
	double rate;
	uint64_t untold; /* decisions left out, of which watchers were told */

	const struct session_events *events; /* NULL when nobody waits any more */
	void *owner;
};

/* What a session is made of. What it takes over is taken from here; the rest is copied. */
struct session_parts {
	struct peer *peer;                        /* taken */
	char **policy, **command, **user;         /* taken */
	int *listener, *snapshot, *log, *verbose; /* taken; log and verbose may be -1 */
	pid_t tid;                                /* of the filtered thread, as we see it */
	const struct session_events *events;
	void *owner;
};

/*
 * Starts a session. It takes over the place in context->sessions_tally that its user has entered,
 * in any case. 0 or a negative errno: what was not taken of the parts is still the caller's.
 */
int session_start(struct session **sessionp, struct context *context, struct session_parts *parts);

/* The client has gone before it was ready: kills the broker and drops everything. */
void session_abort(struct session *session);

/* The daemon ends: the broker goes on by itself. */
void session_release(struct session *session);

/* The session of this number, or NULL. */
struct session *session_find(const struct context *context, uint64_t id);

/*
 * Answers a second since somebody asked last, at least a second ago; at first since the session
 * began.
 */
double session_rate(struct session *session);

const char *session_state_name(enum session_state state);
