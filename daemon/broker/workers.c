/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/workers.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/crash.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/serve.h"
#include "daemon/broker/target.h"

#define WAKE_SIGNAL SIGUSR1
#define TICK_MS     10u
#define QUIET_TICKS 50u /* then the watchdog sleeps until there is work again */
#define MANY_LOOKS  32u
#define STACK_BYTES (256u * 1024u)

struct workers {
	const struct broker *broker;            /* for what all of them have in common */
	_Atomic(const struct broker *) current; /* what a call begins with */
	pthread_mutex_t mutex;                  /* of `state` of each worker, and of these two */
	struct worker *all[SESSION_SLOTS];
	unsigned int leaders;
	uv_timer_t tick;
	uv_async_t arm;
	_Atomic bool armed;
	unsigned int quiet;
};

static void *run(void *argument);

static void interrupt_nothing(int signal)
{
	(void)signal; /* its arrival alone ends the call that waits */
}

static int start_thread(struct worker *worker)
{
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);

	if (error == 0) {
		error = pthread_attr_setstacksize(&attributes, STACK_BYTES);
	}
	if (error == 0) {
		error = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	}
	if (error == 0) {
		error = pthread_create(&worker->thread, &attributes, run, worker);
	}
	pthread_attr_destroy(&attributes);
	return -error;
}

/* Under the mutex. */
static int add_worker(
	struct workers *pool, unsigned int index, enum worker_state state, bool resumes)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker) {
		return -ENOMEM;
	}
	worker->pool = pool;
	worker->listener = pool->broker->listener;
	worker->slot = &pool->broker->memory->slots[index];
	worker->resumes = resumes;
	atomic_init(&worker->state, state);
	atomic_init(&worker->busy, resumes);
	pthread_cond_init(&worker->promoted, NULL);
	pool->all[index] = worker;
	int error = start_thread(worker);
	if (error < 0) {
		pool->all[index] = NULL;
		free(worker);
	}
	return error;
}

/* Makes a parked thread the leader, or a new one. Under the mutex. */
static int promote(struct workers *pool)
{
	unsigned int free_index = SESSION_SLOTS;

	for (unsigned int i = 0; i < SESSION_SLOTS; i++) {
		struct worker *worker = pool->all[i];
		if (worker && atomic_load(&worker->state) == WORKER_PARKED) {
			atomic_store(&worker->state, WORKER_LEADING);
			pthread_cond_signal(&worker->promoted);
			pool->leaders++;
			return 0;
		}
		if (!worker && free_index == SESSION_SLOTS) {
			free_index = i;
		}
	}
	if (free_index == SESSION_SLOTS ||
		add_worker(pool, free_index, WORKER_LEADING, false) < 0) {
		return -EAGAIN;
	}
	pool->leaders++;
	return 0;
}

/* The worker leads no more; somebody always does. Under the mutex. */
static int step_down(struct workers *pool, struct worker *worker)
{
	if (pool->leaders == 1) {
		int error = promote(pool);
		if (error < 0) {
			return error;
		}
	}
	atomic_store(&worker->state, WORKER_WAITING);
	pool->leaders--;
	return 0;
}

/* A new thread begins with the credentials of who makes it, and that may be the target's. */
static int step_down_as_broker(struct workers *pool, struct worker *worker)
{
	const struct identity *own = &worker->broker->identity;

	identity_pause(own, worker->request.identity);
	int error = step_down(pool, worker);
	int resumed = identity_resume(own, worker->request.identity);
	return error < 0 ? error : resumed;
}

int workers_expect_to_wait(struct worker *worker)
{
	struct workers *pool = worker->pool;
	int error = 0;

	pthread_mutex_lock(&pool->mutex);
	if (atomic_load(&worker->state) == WORKER_LEADING) {
		error = step_down_as_broker(pool, worker);
	}
	pthread_mutex_unlock(&pool->mutex);
	return error;
}

enum worker_interruption workers_interruption(struct worker *worker)
{
	return (enum worker_interruption)atomic_load(&worker->interruption);
}

enum act_outcome act_interrupted(struct worker *worker)
{
	return workers_interruption(worker) == INTERRUPTED_BY_SIGNAL ? ACT_GIVE_BACK : ACT_GONE;
}

void workers_begin(struct worker *worker)
{
	struct workers *pool = worker->pool;

	atomic_store_explicit(&worker->interruption, INTERRUPTED_NOT, memory_order_relaxed);
	/* Who sees this knows that the call before is over, with all that it looked at. */
	uint32_t served = atomic_load_explicit(&worker->served, memory_order_relaxed);
	atomic_store_explicit(&worker->served, served + 1, memory_order_release);
	/* Sequentially consistent, and so are the watchdog and workers_switch(): one of us sees the
	 * other. */
	atomic_store(&worker->busy, true);
	worker->broker = atomic_load(&pool->current);
	if (!atomic_load(&pool->armed) && !atomic_exchange(&pool->armed, true)) {
		uv_async_send(&pool->arm);
	}
}

/* What a worker was doing when another broker took the place of the one before. */
struct workers_grace {
	struct {
		bool busy;
		uint32_t served;
	} workers[SESSION_SLOTS];
};

struct workers_grace *workers_grace_new(void)
{
	return calloc(1, sizeof(struct workers_grace));
}

void workers_switch(struct workers *pool, const struct broker *broker, struct workers_grace *grace)
{
	atomic_store(&pool->current, broker);
	pthread_mutex_lock(&pool->mutex);
	for (unsigned int i = 0; i < SESSION_SLOTS; i++) {
		const struct worker *worker = pool->all[i];
		grace->workers[i].busy = worker && atomic_load(&worker->busy);
		grace->workers[i].served = worker ? atomic_load(&worker->served) : 0;
	}
	pthread_mutex_unlock(&pool->mutex);
}

/* A worker that had a call has left it when it has none, or another. */
bool workers_have_left(struct workers *pool, const struct workers_grace *grace)
{
	bool left = true;

	pthread_mutex_lock(&pool->mutex);
	for (unsigned int i = 0; i < SESSION_SLOTS && left; i++) {
		const struct worker *worker = pool->all[i];
		left = !grace->workers[i].busy || !atomic_load(&worker->busy) ||
		       atomic_load(&worker->served) != grace->workers[i].served;
	}
	pthread_mutex_unlock(&pool->mutex);
	return left;
}

/* Waits to lead again, if it does not. */
void workers_end(struct worker *worker)
{
	struct workers *pool = worker->pool;

	atomic_store_explicit(&worker->busy, false, memory_order_release);
	if (atomic_load(&worker->state) == WORKER_LEADING) {
		return;
	}
	pthread_mutex_lock(&pool->mutex);
	if (atomic_load(&worker->state) != WORKER_LEADING) {
		atomic_store(&worker->state, WORKER_PARKED);
	}
	while (atomic_load(&worker->state) != WORKER_LEADING) {
		pthread_cond_wait(&worker->promoted, &pool->mutex);
	}
	pthread_mutex_unlock(&pool->mutex);
}

static void *run(void *argument)
{
	struct worker *worker = argument;
	sigset_t for_target;

	/* A umask of its own, see act_file.c; and SIGPIPE is for the target, see act_send.c. */
	if (unshare(CLONE_FS) < 0) {
		abort();
	}
	crash_blame(worker->slot);
	sigemptyset(&for_target);
	sigaddset(&for_target, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &for_target, NULL);
	if (worker->resumes) {
		serve_again(worker);
	}
	for (;;) {
		serve(worker);
	}
	return NULL;
}

/* Looks after one that waits: does its target still? Under the mutex. */
static void look_after(struct workers *pool, struct worker *worker)
{
	const struct seccomp_notif *notification = &worker->slot->notification;
	enum worker_interruption interruption = INTERRUPTED_NOT;

	/* One that waits long is looked at less often: a look is a read of /proc. */
	if (!atomic_load(&worker->busy) || (worker->looks++ > MANY_LOOKS && worker->looks % 8)) {
		return;
	}
	if (!notify_is_pending(pool->broker->listener, notification->id)) {
		interruption = INTERRUPTED_BY_DEATH;
	} else if (target_has_signal((pid_t)notification->pid)) {
		interruption = INTERRUPTED_BY_SIGNAL;
	}
	if (interruption != INTERRUPTED_NOT) {
		atomic_store(&worker->interruption, interruption);
		pthread_kill(worker->thread, WAKE_SIGNAL);
	}
}

/* At each look, since the signal may come before the call that it is to end. Under the mutex. */
static void call_off(struct worker *worker)
{
	if (atomic_load(&worker->only_leading)) {
		pthread_kill(worker->thread, WAKE_SIGNAL);
	}
}

/* True if there was something to watch. Under the mutex. */
static bool watch(struct workers *pool, struct worker *worker)
{
	uint32_t state = atomic_load(&worker->state);
	uint32_t served = atomic_load(&worker->served);
	bool moved = served != worker->seen;

	if (moved) {
		worker->looks = 0;
	}
	worker->seen = served;
	if (state == WORKER_WAITING) {
		call_off(worker);
		look_after(pool, worker);
		return true;
	}
	if (state == WORKER_LEADING && atomic_load(&worker->busy)) {
		if (!moved && step_down(pool, worker) == 0) {
			call_off(worker);
		}
		return true;
	}
	return moved;
}

static bool somebody_is_busy(const struct workers *pool)
{
	for (unsigned int i = 0; i < SESSION_SLOTS; i++) {
		if (pool->all[i] && atomic_load(&pool->all[i]->busy)) {
			return true;
		}
	}
	return false;
}

static void on_tick(uv_timer_t *timer)
{
	struct workers *pool = container_of(timer, struct workers, tick);
	bool active = false;

	pthread_mutex_lock(&pool->mutex);
	for (unsigned int i = 0; i < SESSION_SLOTS; i++) {
		if (pool->all[i] && watch(pool, pool->all[i])) {
			active = true;
		}
	}
	pthread_mutex_unlock(&pool->mutex);
	pool->quiet = active ? 0 : pool->quiet + 1;
	if (pool->quiet < QUIET_TICKS) {
		return;
	}
	atomic_store(&pool->armed, false);
	if (somebody_is_busy(pool)) {
		atomic_store(&pool->armed, true);
		return;
	}
	uv_timer_stop(timer);
}

static void on_arm(uv_async_t *async)
{
	struct workers *pool = container_of(async, struct workers, arm);

	pool->quiet = 0;
	uv_timer_start(&pool->tick, on_tick, TICK_MS, TICK_MS);
}

/* What a dead broker has received is served first, each by a thread of its own: any of it may wait.
 */
static int start_all(struct workers *pool, bool resumes)
{
	int error = 0;

	/* The slots of a session that begins are not looked at: that alone would fill their pages.
	 */
	unsigned int used = resumes ? SESSION_SLOTS : 0;
	if (resumes) {
		crash_count(pool->broker->memory);
	}
	for (unsigned int i = 0; i < used && error == 0; i++) {
		if (pool->broker->memory->slots[i].notification.id != 0) {
			error = add_worker(pool, i, WORKER_WAITING, true);
		}
	}
	return error < 0 ? error : promote(pool);
}

int workers_start(struct broker *broker, struct uv_loop_s *loop, bool resumes)
{
	struct sigaction action = {.sa_handler = interrupt_nothing}; /* without SA_RESTART */
	struct workers *pool = calloc(1, sizeof(*pool));

	if (!pool) {
		return -ENOMEM;
	}
	pool->broker = broker;
	atomic_init(&pool->current, broker);
	broker->workers = pool;
	sigemptyset(&action.sa_mask);
	sigaction(WAKE_SIGNAL, &action, NULL);
	pthread_mutex_init(&pool->mutex, NULL);
	int error = uv_timer_init(loop, &pool->tick);
	if (error == 0) {
		error = uv_async_init(loop, &pool->arm, on_arm);
	}
	if (error < 0) {
		return error;
	}
	pthread_mutex_lock(&pool->mutex);
	error = start_all(pool, resumes);
	pthread_mutex_unlock(&pool->mutex);
	return error;
}
