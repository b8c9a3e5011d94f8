/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session: a listener, its memory, the snapshot of its policy, and the broker that serves it
 * now. The first three live as long as the session; brokers come and go:
 *
 *   STARTING    it is being kept (session_keep.h), then a broker proves that it can serve; the
 *               client waits. Brokers that die meanwhile are replaced, but not for ever
 *   RUNNING     a broker serves
 *   RESTARTING  the broker died; a successor is started on the same descriptors, later and later
 *               if they keep dying
 *
 * A session ends when no process uses its filter any more (the listener hangs up) and its broker
 * is gone. The listener is held here, and where there is a store (store.h) also beyond our own end:
 * targets wait, none sees ENOSYS.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

#include "daemon/peer.h"
#include "usher/session.h"
#include "usher/wire.h"

struct child;
struct context;
struct store_sync;

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

	int listener, memory_fd, snapshot;
	int log, verbose;          /* each in a parcel of its own; -1 */
	int given[WIRE_GIVEN_MAX]; /* sockets that the policy names, in its order; then -1 */
	int first_snapshot;        /* -1: the same as `snapshot`, no other has come yet */
	uint32_t landlock;         /* operations on files that its filter leaves to it */
	uint64_t policy_number;    /* of the reload that gave `snapshot`; 0: none */
	int audit;                 /* where `log` is read, if that is our own; -1 */
	pid_t tid;
	struct session_memory *memory;

	unsigned int kept, broker_kept; /* under which N (session_keep.h); 0: not */
	struct store_sync *sync;        /* while it is being kept */

	struct child *child; /* NULL while RESTARTING */
	bool resumes;        /* the next broker is not the first */
	bool cannot_go_on;   /* no broker of this build can serve it */
	char *become, *label;
	uint64_t child_started_ms, child_started_answers;
	unsigned int quick_deaths, start_deaths;
	unsigned int useless_deaths; /* one after the other, of brokers that had answered nothing */
	uv_timer_t retry;

	/* Of the last look at its rate. */
	uint64_t sampled_ms, sampled_answers;
	double rate;
	uint64_t untold;       /* decisions left out, of which watchers were told */
	uint64_t words_second; /* of the loop's clock, in which its broker has said ... */
	unsigned int words;    /* ... so many things for the log */

	const struct session_events *events; /* NULL when nobody waits any more */
	void *owner;
};

/* What a session is made of. What it takes over is taken from here; the rest is copied. */
struct session_parts {
	struct peer *peer;                        /* taken */
	char **policy, **command, **user;         /* taken */
	int *listener, *snapshot, *log, *verbose; /* taken; log and verbose may be -1 */
	int *given;                               /* taken, all of them */
	size_t given_count;                       /* at most WIRE_GIVEN_MAX */
	pid_t tid;                                /* of the filtered thread, as we see it */
	uint32_t landlock;
	const struct session_events *events;
	void *owner;
};

/*
 * Starts a session. It takes over the place in context->sessions_tally that its user has entered,
 * in any case. 0 or a negative errno: what was not taken of the parts is still the caller's.
 */
int session_start(struct session **sessionp, struct context *context, struct session_parts *parts);

/*
 * The session of this very process, or NULL. A client whose hand-over was interrupted by the death
 * of an earlier daemon comes again, and finds its session there.
 */
struct session *session_of(struct context *context, const struct peer *peer);
/*
 * Its client waits (again). 1: it is ready, nobody is called; 0; -EBUSY: another waits already.
 */
int session_attach(struct session *session, const struct session_events *events, void *owner);

/* Forgets who waits: the daemon ends, and the client will come again. */
void session_detach(struct session *session);

/* The client has gone before it was ready: kills the broker and drops everything. */
void session_abort(struct session *session);

/* The daemon ends: the broker goes on by itself, and what is kept stays kept. */
void session_release(struct session *session);

/* The session of this number, or NULL. */
struct session *session_find(const struct context *context, uint64_t id);

/*
 * Answers a second since somebody asked last, at least a second ago; at first since the session
 * began.
 */
double session_rate(struct session *session);

uint64_t session_answers(const struct session *session);

/* Could not be started: tells who waits, and drops everything. */
void session_fail(struct session *session, int error, const char *text);
/* True when no process is left that the filter could notify for. */
bool session_is_over(const struct session *session);
/* It is over: counts are told, and all is dropped. */
void session_end(struct session *session);

/* For adopt.c: a session that is made of a record enters the world. 0 or a negative errno, after
 * which it is still the caller's. */
int session_join(struct session *session);
/* Ends one that has not joined. */
void session_discard(struct session *session);

const char *session_state_name(enum session_state state);
