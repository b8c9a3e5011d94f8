/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/broker/act.h"
#include "daemon/broker/admit.h"
#include "daemon/broker/answer.h"
#include "daemon/broker/audit.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/decide.h"
#include "daemon/broker/decode.h"
#include "daemon/broker/decode_message.h"
#include "daemon/broker/detached.h"
#include "daemon/broker/join.h"
#include "daemon/broker/members.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/outside.h"
#include "daemon/broker/path_call.h"
#include "daemon/broker/recover.h"
#include "daemon/broker/redirect.h"
#include "daemon/broker/resolve.h"
#include "daemon/broker/supervisor.h"
#include "daemon/broker/target.h"
#include "daemon/broker/walk.h"
#include "daemon/broker/workers.h"

#define LONG_WAYS_MAX \
	40 /* as often as a target may swap links under us, as many as the kernel follows */

/* The notification is received where a successor of ours would find it. */
static int receive(struct worker *worker)
{
	struct session_slot *slot = worker->slot;

	memset(&slot->notification, 0, sizeof(slot->notification));
	atomic_store_explicit(&slot->state, SLOT_RECEIVED, memory_order_relaxed);
	slot->crashes = 0;
	atomic_store_explicit(&slot->blamed, 0, memory_order_relaxed);
	slot->began = 0;
	slot->result = 0;
	return notify_receive(worker->listener, &slot->notification);
}

static void begin(struct worker *worker)
{
	struct request *request = &worker->request;

	workers_begin(worker);
	request->slot = worker->slot;
	request->id = worker->slot->notification.id;
	request->tid = (pid_t)worker->slot->notification.pid;
	request->tgid = 0;
	request->resumed = false;
	request->result = 0;
	request->verdict = (struct policy_verdict){.action = POLICY_ALLOW};
	request->place.path[0] = '\0';
	request->received_ns = clock_ns(CLOCK_BOOTTIME);
}

/* Who makes a call is of the session. */
static void note_member(const struct worker *worker)
{
	members_note(worker->broker->members, worker->request.tid, worker->request.received_ns);
}

/* A thread that cannot become itself again must not serve anybody: a successor will. */
static void leave_identity(const struct broker *broker, struct request *request)
{
	identity_pause(&broker->identity, request->identity);
}

/* Only these calls are performed by us; the rest is continued or refused. */
static bool acts_for_target(enum call call)
{
	switch (call) {
	case CALL_OPEN:
	case CALL_PATH:
	case CALL_CONNECT:
	case CALL_BIND:
	case CALL_LISTEN:
	case CALL_SEND:
	case CALL_SOCKET:
		return true;
	default:
		return false;
	}
}

static bool judges_by_real_ids(const struct request *request)
{
	return request->call == CALL_PATH && request->path.call->act == PATH_ACCESS &&
	       !(request->path.flags & AT_EACCESS);
}

/* Takes on the calling thread's rights where they can differ from ours. */
static int enter_identity(const struct broker *broker, struct request *request)
{
	request->identity = &broker->identity;
	request->may_join = request->joined = false;
	if (!broker_knows(broker, SESSION_IDS_VARY) || !acts_for_target(request->call)) {
		return 0;
	}
	int error = identity_read(&request->own_identity, request->tid);
	if (error == 0 && judges_by_real_ids(request)) {
		identity_use_real_ids(&request->own_identity);
	}
	request->may_join = error == 0 && request->own_identity.is_in_other_namespace;
	if (error < 0 || identity_is_same(&request->own_identity, &broker->identity)) {
		return error;
	}
	if (!identity_can_assume(&broker->identity, &request->own_identity)) {
		return -EPERM;
	}
	request->identity = &request->own_identity;
	error = identity_assume(request->identity, &broker->identity);
	if (error < 0) {
		leave_identity(broker, request);
	}
	return error;
}

static bool is_only_asked(const struct path_request *path)
{
	return !(path->call->operations & ~(unsigned int)OPERATION_STAT) &&
	       path->call->path_second == NO_ARGUMENT;
}

/* The second name that link(2) makes is one of where the first leads: a link there must be seen. */
static bool leads_on(const struct path_request *path, struct place *place)
{
	return path->call->act == PATH_LINK && path->follow && place->provisional &&
	       !resolve_look(place);
}

static int resolve_first(const struct broker *broker, struct request *request, enum resolve_way way)
{
	struct path_request *path = &request->path;
	struct walk_options options = {.place = &request->place,
		.follow_last = path->follow,
		.never_follow_last = path->call->follow == FOLLOW_NEVER};
	int error = resolve_place(broker, request, path->path, &options, way);

	return error == 0 && leads_on(path, &request->place)
		       ? resolve_place(broker, request, path->path, &options, RESOLVE_LONG_WAY)
		       : error;
}

/* The names of a call that does not open: one, two, or the descriptor itself. */
static int resolve_path(const struct broker *broker, struct request *request, enum resolve_way way)
{
	const struct path_request *path = &request->path;
	const struct walk_options options = {.place = &request->second, .never_follow_last = true};

	if (path->is_descriptor && is_only_asked(path)) {
		return 0; /* whoever holds it may: its name does not matter */
	}
	int error = path->is_descriptor ? resolve_descriptor(broker, request)
					: resolve_first(broker, request, way);
	if (error < 0 || path->call->path_second == NO_ARGUMENT) {
		return error;
	}
	return resolve_place(broker, request, path->second_path, &options, way);
}

static bool names_unix_path(const struct request *request)
{
	bool names_address = request->call == CALL_CONNECT || request->call == CALL_BIND ||
			     request->call == CALL_SEND;

	return names_address && request->address.endpoint.kind == ENDPOINT_UNIX_PATH;
}

/* A socket is reached through links; where one is made nothing is followed. */
static int resolve_unix_path(const struct broker *broker, struct request *request)
{
	bool binds = request->call == CALL_BIND;
	struct walk_options options = {
		.place = &request->place, .follow_last = !binds, .never_follow_last = binds};
	const char *path = request->address.name.bytes + offsetof(struct sockaddr_un, sun_path);

	return resolve_place(broker, request, path, &options, RESOLVE_TO_OBJECT);
}

static int resolve_request(
	const struct broker *broker, struct request *request, enum resolve_way way)
{
	const struct open_request *open = &request->open;

	if (request->call == CALL_OPEN) {
		return resolve(
			broker, request, open->path, open->how.flags, open->how.resolve, way);
	}
	if (names_unix_path(request)) {
		return resolve_unix_path(broker, request);
	}
	return request->call == CALL_PATH ? resolve_path(broker, request, way) : 0;
}

static enum act_outcome refuse(struct request *request, int error)
{
	request->result = error;
	return ACT_DONE;
}

/* Who may change mounts has a namespace of its own, which is known already. */
static enum act_outcome act_mount(const struct broker *broker, struct request *request)
{
	if (request->verdict.action != POLICY_ALLOW) {
		return refuse(request, -request->verdict.error);
	}
	const struct seccomp_data *data = &request->slot->notification.data;
	if (data->nr == SYS_umount2 && (data->args[1] & MNT_DETACH)) {
		detached_note(broker->detached, request->tid);
	}
	return data->nr == SYS_setns ? act_forget(broker, request) : ACT_CONTINUE;
}

/* A negative number would be a process group's, and that of a dead thread may be another's. */
static void kill_caller(const struct broker *broker, const struct request *request)
{
	pid_t tgid = target_tgid(request->tid);

	if (tgid > 0 && notify_is_pending(broker->listener, request->id)) {
		(void)kill(tgid, SIGKILL);
	}
}

/* Is something done with a socket and an address for it? */
static bool takes_address(enum call call)
{
	return call == CALL_CONNECT || call == CALL_BIND || call == CALL_LISTEN ||
	       call == CALL_SEND;
}

/* A socket may have to be changed for another before it can be used so. */
static enum act_outcome act_on_address(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	bool redirects =
		request->verdict.action == POLICY_INJECT && !policy_asks_broker(&request->verdict);
	int error = redirects ? redirect_begin(broker, worker, request)
			      : outside_lead(broker, worker, request);
	enum act_outcome outcome = ACT_DONE;

	if (error < 0 || (redirects && error == REDIRECT_DONE)) {
		return refuse(request, error < 0 ? error : 0);
	}
	switch (request->call) {
	case CALL_CONNECT:
		outcome = act_connect(broker, worker, request);
		break;
	case CALL_BIND:
		outcome = act_bind(broker, worker, request);
		break;
	case CALL_LISTEN:
		outcome = act_listen(broker, worker, request);
		break;
	default:
		outcome = act_send(broker, worker, request);
		break;
	}
	if (redirects && (outcome == ACT_DONE || outcome == ACT_NEXT_MESSAGE)) {
		redirect_end(broker, request);
	}
	return outcome;
}

static enum act_outcome act(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	if (request->verdict.action == POLICY_KILL || broker_knows(broker, SESSION_ENDING)) {
		if (act_needs_long_way(broker, request)) {
			return ACT_TAKE_LONG_WAY;
		}
		kill_caller(broker, request);
		return refuse(request, -EPERM);
	}
	if (takes_address(request->call) && request->verdict.action != POLICY_DENY) {
		return act_on_address(broker, worker, request);
	}
	switch (request->call) {
	case CALL_OPEN:
		return act_open(broker, worker, request);
	case CALL_CONNECT:
	case CALL_BIND:
	case CALL_LISTEN:
	case CALL_SEND:
		return refuse(request, -request->verdict.error);
	case CALL_SOCKET:
		return act_socket(broker, worker, request);
	case CALL_REACH:
		return request->verdict.action == POLICY_ALLOW ? ACT_CONTINUE
							       : refuse(request, -EPERM);
	case CALL_PATH:
		return act_path(broker, worker, request);
	case CALL_HARMLESS:
		return ACT_CONTINUE;
	case CALL_NOTHING:
		return refuse(request, 0);
	case CALL_FORGET:
		return act_forget(broker, request);
	case CALL_MOUNT:
		return act_mount(broker, request);
	case CALL_PROBE:
		return refuse(request, -EINVAL);
	case CALL_UNKNOWN:
		break;
	}
	return refuse(request, -ENOSYS);
}

static enum act_outcome resolve_decide_act(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	enum resolve_way way = RESOLVE_FAST_IF_POSSIBLE;

	for (unsigned int i = 0; i < LONG_WAYS_MAX; i++) {
		int error = resolve_request(broker, request, way);
		if (error < 0) {
			resolve_release(request);
			return refuse(request, error);
		}
		decide(broker, request);
		enum act_outcome outcome = act(broker, worker, request);
		resolve_release(request);
		if (outcome != ACT_TAKE_LONG_WAY) {
			return outcome;
		}
		way = RESOLVE_LONG_WAY;
	}
	return refuse(request, -ELOOP);
}

/* The messages of a sendmmsg(2) are asked about, and told of, one by one. */
static enum act_outcome act_on_each(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	enum act_outcome outcome = resolve_decide_act(broker, worker, request);

	while (outcome == ACT_NEXT_MESSAGE) {
		audit_expect(broker->audit, request);
		audit(broker->audit, request, ACT_DONE);
		identity_pause(&broker->identity, request->identity);
		int error = decode_next_message(broker, request);
		if (error == 0) {
			error = identity_resume(&broker->identity, request->identity);
		}
		outcome = error < 0 ? refuse(request, error)
				    : resolve_decide_act(broker, worker, request);
	}
	/* If some were sent their number is told, and not why it is not more. */
	if (request->call == CALL_SEND && request->message.count > 1 && request->message.done > 0) {
		request->result = (int)request->message.done;
		outcome = ACT_DONE;
	}
	return outcome;
}

/* Here, or where the caller's own capabilities count. */
static enum act_outcome perform(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	if (join_is_needed(request)) {
		return join(broker, worker, request, resolve_decide_act, refuse(request, -EPERM));
	}
	enum act_outcome outcome = act_on_each(broker, worker, request);
	return join_may_help(request, outcome)
		       ? join(broker, worker, request, resolve_decide_act, outcome)
		       : outcome;
}

static enum act_outcome decode_to_act(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	enum act_outcome outcome;
	int error = decode(broker, request);

	if (error == 0) {
		error = enter_identity(broker, request);
	}
	outcome = error < 0 ? refuse(request, error) : perform(broker, worker, request);
	if (error == 0) {
		leave_identity(broker, request);
	}
	if (error == 0 && outcome == ACT_DONE && request->call == CALL_PATH) {
		act_give_back(broker, request);
	}
	decode_release(request);
	return outcome;
}

/* The main thread ends us; until then the processor belongs to the target that is exiting. */
static void rest_if_over(int listener)
{
	while (notify_is_over(listener)) {
		pause();
	}
}

void serve(struct worker *worker)
{
	struct request *request = &worker->request;

	if (receive(worker) < 0) {
		rest_if_over(worker->listener);
		return;
	}
	begin(worker);
	note_member(worker);
	const struct broker *broker = worker->broker;
	enum act_outcome outcome = decode_to_act(broker, worker, request);
	audit_expect(broker->audit, request);
	answer(broker, request, outcome);
	audit(broker->audit, request, outcome);
	workers_end(worker);
}

/* Two brokers died over it: nobody looks at it a third time. */
static enum act_outcome deny_unseen(struct request *request)
{
	char text[128];

	(void)snprintf(text, sizeof(text),
		"two brokers died over system call %d of thread %d: it is denied",
		request->slot->notification.data.nr, request->tid);
	(void)supervisor_tell(-EACCES, text);
	request->call = CALL_UNKNOWN;
	request->verdict =
		(struct policy_verdict){.action = POLICY_DENY, .error = EACCES, .log = true};
	return refuse(request, -EACCES);
}

/*
 * What can be repeated is; a connection is looked at by connecting again (act_socket.c). Only of a
 * file that must not exist nobody can say any more who made it.
 */
static enum act_outcome act_again(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	uint32_t state = atomic_load(&worker->slot->state);

	request->resumed = worker->slot->began != 0;
	if (state == SLOT_INSTALLED || state == SLOT_INSTALLING) {
		int number = recover_find(broker, request);
		if (number >= 0 || state == SLOT_INSTALLED) {
			number = number >= 0 ? number : worker->slot->result;
			notify_answer(broker->listener, request->id, number, 0);
			return ACT_GONE;
		}
	}
	if (worker->slot->crashes >= SESSION_CRASHES_MAX) {
		return deny_unseen(request);
	}
	return decode_to_act(broker, worker, request);
}

void serve_again(struct worker *worker)
{
	struct request *request = &worker->request;

	begin(worker);
	/* Whose call was received by a dead broker may have died with it, and be another by number.
	 */
	if (notify_is_pending(worker->broker->listener, request->id)) {
		note_member(worker);
		enum act_outcome outcome = act_again(worker->broker, worker, request);
		audit_expect(worker->broker->audit, request);
		answer(worker->broker, request, outcome);
		audit(worker->broker->audit, request, outcome);
	}
	workers_end(worker);
}
