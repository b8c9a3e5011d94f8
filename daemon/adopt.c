/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/adopt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/discard.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/session_memory.h"
#include "daemon/child.h"
#include "daemon/context.h"
#include "daemon/inheritance.h"
#include "daemon/journal.h"
#include "daemon/parcel.h"
#include "daemon/record.h"
#include "daemon/session.h"
#include "daemon/session_broker.h"
#include "daemon/session_keep.h"
#include "daemon/store.h"

/* One parcel that came back. */
struct found {
	struct session_name name;
	int parcel;
};

/* What is in a parcel, for as long as it is looked at. */
struct contents {
	char text[PARCEL_TEXT_MAX];
	int fds[FDPASS_MAX];
	size_t fd_count;
};

/* A session whose broker is dead, and when that was started. */
struct waiting {
	struct session *session;
	struct timespec started;
};

struct adoption {
	struct context *context;
	struct found *found;
	size_t count;
	struct waiting *waiting;
	size_t waiting_count;
	struct contents contents;
	unsigned int serving, lost;
};

/* Of one session beside the other, its broker behind it, and of each the newest first. */
static int compare(const void *a, const void *b)
{
	const struct session_name *left = &((const struct found *)a)->name;
	const struct session_name *right = &((const struct found *)b)->name;

	if (left->session != right->session) {
		return left->session < right->session ? -1 : 1;
	}
	if (left->is_broker != right->is_broker) {
		return left->is_broker ? 1 : -1;
	}
	return left->generation > right->generation ? -1 : left->generation < right->generation;
}

/* The number of a session that we cannot take over is its own nevertheless: its broker may live. */
static void count_from(struct context *context, uint64_t session)
{
	if (session > context->last_session) {
		context->last_session = session;
	}
}

static void collect(struct adoption *adoption, struct inheritance *inheritance)
{
	adoption->found = calloc(inheritance->count + 1, sizeof(*adoption->found));
	adoption->waiting = calloc(inheritance->count + 1, sizeof(*adoption->waiting));
	for (size_t i = 0; adoption->found && adoption->waiting && i < inheritance->count; i++) {
		struct inherited *one = &inheritance->all[i];
		struct found *found = &adoption->found[adoption->count];
		if (one->fd >= 0 && session_name_parse(&found->name, one->name)) {
			found->parcel = steal_fd(&one->fd);
			count_from(adoption->context, found->name.session);
			store_inherit(&adoption->context->store);
			adoption->count++;
		}
	}
	if (adoption->count == 0) {
		return;
	}
	qsort(adoption->found, adoption->count, sizeof(*adoption->found), compare);
}

static void forget(struct adoption *adoption, const struct found *found)
{
	char name[64];

	session_name_write(name, sizeof(name), &found->name);
	store_remove(&adoption->context->store, name);
}

static int open_parcel(struct adoption *adoption, const struct found *found)
{
	struct contents *contents = &adoption->contents;

	return parcel_open(found->parcel, contents->text, contents->fds, &contents->fd_count);
}

static void close_parcel(struct adoption *adoption)
{
	fdpass_close_all(adoption->contents.fds, adoption->contents.fd_count);
	adoption->contents.fd_count = 0;
}

/* What of a record is not in its text. */
static int complete(struct session *session, uint64_t id)
{
	int result = session_memory_map(session->memory_fd, &session->memory);

	if (result < 0) {
		return result;
	}
	if (session->id != id || session->memory->session != id) {
		return -EBADMSG;
	}
	peer_find_again(&session->peer);
	return session_join(session);
}

/* The session of a parcel, or NULL and an errno. */
static struct session *revive(struct adoption *adoption, const struct found *found, int *error)
{
	struct contents *contents = &adoption->contents;
	struct session *session = calloc(1, sizeof(*session));

	*error = session ? open_parcel(adoption, found) : -ENOMEM;
	if (*error < 0) {
		free(session);
		return NULL;
	}
	session->context = adoption->context;
	session->kept = found->name.generation;
	*error = record_read(session, contents->text, contents->fds, contents->fd_count);
	close_parcel(adoption);
	if (*error == 0) {
		*error = complete(session, found->name.session);
	}
	if (*error < 0) {
		session_discard(session);
		return NULL;
	}
	return session;
}

/* The broker that serves, if `found` (NULL: there is none) is what is left of it. */
static bool go_on_with_broker(
	struct adoption *adoption, struct session *session, const struct found *found)
{
	struct contents *contents = &adoption->contents;
	pid_t server = session_memory_server(session->memory_fd);
	struct child_estate estate = {.serves = session->state == SESSION_RUNNING};

	if (server <= 0 || !found || open_parcel(adoption, found) < 0) {
		return false;
	}
	cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, server, 0);
	bool is_it = record_read_broker(contents->text, &estate.pid) == 0 &&
		     contents->fd_count == 2 && estate.pid == server && pidfd >= 0 &&
		     session_may_be_served_by(session, server, pidfd);
	if (is_it) {
		estate.pidfd = pidfd;
		estate.control = contents->fds[0];
		estate.words = contents->fds[1];
		session->broker_kept = found->name.generation;
		session_go_on(session, &estate);
	}
	close_parcel(adoption);
	return is_it;
}

/* Nobody will read what a broker has said there, and who closes it last would wait for all of it.
 */
static void silence(struct adoption *adoption, const struct found *found)
{
	if (found->name.is_broker && open_parcel(adoption, found) == 0) {
		if (adoption->contents.fd_count > 0) {
			discard_unread(adoption->contents.fds[0]);
		}
		close_parcel(adoption);
	}
}

static const char *describe_error(int error)
{
	return error == -EPROTONOSUPPORT
		       ? "it is of a build whose sessions this one does not understand"
		       : strerror(-error);
}

/* All that came back of one session: found[0 .. count-1], of which the first may be its parcel. */
static void adopt_one(struct adoption *adoption, const struct found *found, size_t count)
{
	const struct found *broker = NULL;
	int error = -EBADMSG;
	struct session *session = found->name.is_broker ? NULL : revive(adoption, found, &error);

	for (size_t i = 0; i < count && !broker; i++) {
		broker = found[i].name.is_broker ? &found[i] : NULL;
	}
	if (!session) {
		journal_error("session %" PRIu64 ": cannot be taken over: %s; it is left to its "
			      "broker, if that lives",
			found->name.session, describe_error(error));
		adoption->lost++;
	} else if (go_on_with_broker(adoption, session, broker)) {
		adoption->serving++;
	} else {
		adoption->waiting[adoption->waiting_count++] =
			(struct waiting){session, session_memory_marked(session->memory_fd)};
	}
	for (size_t i = 0; i < count; i++) {
		bool is_used =
			session &&
			(&found[i] == found || (&found[i] == broker && session->broker_kept > 0));
		if (!is_used) {
			silence(adoption, &found[i]);
			forget(adoption, &found[i]);
		}
	}
}

static int compare_started(const void *a, const void *b)
{
	const struct timespec *left = &((const struct waiting *)a)->started;
	const struct timespec *right = &((const struct waiting *)b)->started;

	if (left->tv_sec != right->tv_sec) {
		return left->tv_sec < right->tv_sec ? -1 : 1;
	}
	return left->tv_nsec < right->tv_nsec ? -1 : left->tv_nsec > right->tv_nsec;
}

/*
 * Brokers are started one after the other, and we may be killed before the last of them: so whose
 * broker was started longest ago comes first, and nobody is the last in each daemon's life.
 */
static void restart_brokers(struct adoption *adoption)
{
	if (adoption->waiting_count > 0) {
		qsort(adoption->waiting, adoption->waiting_count, sizeof(*adoption->waiting),
			compare_started);
	}
	for (size_t i = 0; i < adoption->waiting_count; i++) {
		struct session *session = adoption->waiting[i].session;

		session_memory_forgive(session->memory); /* nobody has seen of what it died */
		session_go_on(session, NULL);
	}
}

bool adopt_is_due(const struct inheritance *inheritance)
{
	struct session_name name;

	for (size_t i = 0; i < inheritance->count; i++) {
		if (session_name_parse(&name, inheritance->all[i].name)) {
			return true;
		}
	}
	return false;
}

void adopt_all(struct context *context, struct inheritance *inheritance)
{
	struct adoption *adoption = calloc(1, sizeof(*adoption));

	if (!adoption) {
		return;
	}
	adoption->context = context;
	collect(adoption, inheritance);
	for (size_t i = 0, next; i < adoption->count; i = next) {
		for (next = i + 1;
			next < adoption->count &&
			adoption->found[next].name.session == adoption->found[i].name.session;
			next++) {
		}
		adopt_one(adoption, &adoption->found[i], next - i);
	}
	restart_brokers(adoption);
	if (adoption->count > 0) {
		journal_notice(
			"took over %u sessions: of %u the broker serves on, of %u another is "
			"started; %u are lost to us",
			adoption->serving + (unsigned int)adoption->waiting_count,
			adoption->serving, (unsigned int)adoption->waiting_count, adoption->lost);
	}
	for (size_t i = 0; i < adoption->count; i++) {
		close_fd(&adoption->found[i].parcel);
	}
	free(adoption->waiting);
	free(adoption->found);
	free(adoption);
}
