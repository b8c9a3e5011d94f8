/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ending.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "daemon/base/cleanup.h"
#include "daemon/child.h"
#include "daemon/context.h"
#include "daemon/journal.h"
#include "daemon/processes.h"
#include "daemon/session.h"
#include "daemon/stop.h"

/* Between two looks for what was born meanwhile, and how many of them. */
#define AGAIN_MS  100u
#define KILLS_MAX 50u
/* So many looks a broker may outlive its session for: it may have been stopped, or be anybody's. */
#define KILLS_OVER 20u

/* A session that is being ended. It may end by itself at any time, so it is known by its number. */
struct ending {
	LIST_ENTRY(ending) entry;
	struct context *context;
	uint64_t session;
	unsigned int kills;
	uv_timer_t timer;
};

/*
 * The broker may be dead at the moment; its successor is told at the next look. Our rights are not
 * the session's: who is not of it, or another's, is left alone.
 */
static int signal_all(const struct session *session, int signal)
{
	const struct processes_scope scope = {.uid = session->peer.uid,
		.capabilities = session->peer.capabilities,
		.filters = atomic_load(&session->memory->filters)};

	if (session->child) {
		(void)child_send_signal(session->child, signal);
	}
	return peer_is_running(&session->peer)
		       ? processes_signal_tree(session->peer.pid, &scope, signal)
		       : 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct ending, timer));
}

static void forget(struct ending *ending)
{
	LIST_REMOVE(ending, entry);
	uv_close((uv_handle_t *)&ending->timer, on_closed);
}

/* Who stops the daemon may have waited for this one. */
static void leave(struct ending *ending)
{
	struct context *context = ending->context;

	forget(ending);
	stop_settle(context);
}

static void on_timer(uv_timer_t *timer)
{
	struct ending *ending = container_of(timer, struct ending, timer);
	struct session *session = session_find(ending->context, ending->session);

	if (!session) {
		leave(ending);
		return;
	}
	if (ending->kills >= KILLS_OVER && session_is_over(session)) {
		journal_warning(
			"%s: its broker does not end with it, and is ended", session->label);
		session_end(session);
		leave(ending);
		return;
	}
	atomic_fetch_or(&session->memory->facts, SESSION_ENDING);
	(void)signal_all(session, SIGKILL);
	if (++ending->kills == KILLS_MAX) {
		journal_warning("%s: some of its processes cannot be found; they end with their "
				"next call that is asked about",
			session->label);
		leave(ending);
	}
}

static struct ending *find(const struct context *context, uint64_t session)
{
	struct ending *ending;

	LIST_FOREACH(ending, &context->endings, entry)
	{
		if (ending->session == session) {
			return ending;
		}
	}
	return NULL;
}

static struct ending *find_or_make(struct context *context, uint64_t session)
{
	struct ending *ending = find(context, session);

	if (ending) {
		return ending;
	}
	ending = calloc(1, sizeof(*ending));
	if (ending) {
		ending->context = context;
		ending->session = session;
		uv_timer_init(context->loop, &ending->timer);
		LIST_INSERT_HEAD(&context->endings, ending, entry);
	}
	return ending;
}

int ending_begin(struct context *context, uint64_t id, unsigned int grace_ms)
{
	const struct session *session = session_find(context, id);
	struct ending *ending = session ? find_or_make(context, id) : NULL;

	if (!ending) {
		return session ? -ENOMEM : -ESRCH;
	}
	uv_timer_start(&ending->timer, on_timer, grace_ms, AGAIN_MS);
	return signal_all(session, SIGTERM);
}

void ending_finish(struct context *context)
{
	while (!LIST_EMPTY(&context->endings)) {
		forget(LIST_FIRST(&context->endings));
	}
}
