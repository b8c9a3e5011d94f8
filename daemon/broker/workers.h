/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader and followers. One thread, the leader, sleeps in RECV and serves what it receives itself,
 * without handing it over. Before it does what may wait for ever (a FIFO, a connection) it makes
 * another thread the leader; and a watchdog in the main thread does so for it if it stays away
 * longer than anybody expected (a disk, FUSE, a network file system). A thread that waits is woken
 * by a signal when its target went away or has a signal to handle.
 *
 *   LEADING --expect_to_wait, watchdog--> WAITING --served--> PARKED --promoted--> LEADING
 *
 * Each thread has a slot of the session's memory, so there are never more than SESSION_SLOTS.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/broker/act.h"
#include "daemon/broker/request.h"

struct broker;
struct uv_loop_s;
struct workers;

enum worker_state {
	WORKER_PARKED,
	WORKER_LEADING,
	WORKER_WAITING,
};

enum worker_interruption {
	INTERRUPTED_NOT,
	INTERRUPTED_BY_SIGNAL, /* the target has a signal to handle */
	INTERRUPTED_BY_DEATH,  /* the target does not wait any more */
};

struct worker {
	struct workers *pool;
	int listener;
	const struct broker *broker; /* of the call that it has: workers_begin() sets it */
	pthread_t thread;
	pthread_cond_t promoted;
	_Atomic uint32_t state;        /* enum worker_state; written under the pool's mutex */
	_Atomic uint32_t interruption; /* enum worker_interruption */
	_Atomic bool busy;             /* has a notification */
	_Atomic bool only_leading;     /* workers_only_while_leading() */
	_Atomic uint32_t served;       /* counts notifications; written by the worker alone */
	uint32_t seen;                 /* the watchdog's last look at `served` */
	uint32_t looks;                /* its looks at this call while it waits */
	bool resumes;                  /* begins with what its slot holds */
	struct session_slot *slot;
	struct request request;
};

/*
 * Starts the watchdog on `loop`, a thread for each slot that a dead broker left in use, and the
 * first leader. 0 or a negative errno.
 */
int workers_start(struct broker *broker, struct uv_loop_s *loop, bool resumes);

/* The calling worker is about to wait: another leads from now on. 0, or -EAGAIN: no thread is left.
 */
int workers_expect_to_wait(struct worker *worker);

/*
 * What the calling worker does from now on, or no more, it does only while it leads: it is
 * interrupted (EINTR) when the watchdog has made another the leader.
 */
static inline void workers_only_while_leading(struct worker *worker, bool is_so)
{
	atomic_store_explicit(&worker->only_leading, is_so, memory_order_relaxed);
}

/* Does it wait, by its own word or because the watchdog has found that it does? */
static inline bool workers_waits(const struct worker *worker)
{
	return atomic_load_explicit(&worker->state, memory_order_relaxed) == WORKER_WAITING;
}

/* Why a waiting call of ours ended with EINTR: INTERRUPTED_NOT means that it should be done again.
 */
enum worker_interruption workers_interruption(struct worker *worker);

/*
 * Calls begin with `broker` from now on. `grace` says when no call is under way any more that began
 * with the one before: workers_have_left(). It is the caller's to free.
 */
struct workers_grace;
struct workers_grace *workers_grace_new(void);
void workers_switch(struct workers *pool, const struct broker *broker, struct workers_grace *grace);
bool workers_have_left(struct workers *pool, const struct workers_grace *grace);

/* Called by a worker as soon as it has received a notification, and when it has answered it. */
void workers_begin(struct worker *worker);
void workers_end(struct worker *worker);
