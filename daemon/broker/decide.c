/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/decide.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "daemon/broker/admit.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/dns.h"
#include "daemon/broker/members.h"
#include "daemon/broker/names.h"
#include "daemon/broker/path_call.h"
#include "daemon/broker/procfs_number.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

#define SOCKET_TYPE_MASK 0xf /* SOCK_TYPE_MASK of the kernel */

static const struct policy_verdict allowed_without_rule = {.action = POLICY_ALLOW};
static const struct policy_verdict denied_without_rule = {
	.action = POLICY_DENY, .error = EPERM, .log = true};
/* What has no name that a rule could be about. */
static const struct policy_verdict denied_without_name = {
	.action = POLICY_DENY, .error = EACCES, .log = true};

/*
 * An open that may create asks for `create` only if it does: where that alone is denied, what
 * exists may still be opened.
 */
static void decide_open(const struct broker *broker, struct request *request)
{
	struct open_request *open = &request->open;
	unsigned int others = open->operations & ~(unsigned int)OPERATION_CREATE;
	const char *path = request->place.path;

	open->only_existing = open->made_before = false;
	if (request->place.unknown) {
		request->verdict = denied_without_name;
		return;
	}
	if (request->place.nameless) {
		request->verdict = allowed_without_rule;
		return;
	}
	request->verdict = policy_decide_file(broker->policy, open->operations, path);
	if (request->verdict.action == POLICY_DENY && (open->how.flags & O_CREAT)) {
		struct policy_verdict existing = policy_decide_file(broker->policy, others, path);
		if (existing.action == POLICY_ALLOW || existing.action == POLICY_INJECT) {
			open->only_existing = true;
			open->verdict_if_missing = request->verdict;
			request->verdict = existing;
		}
	}
}

/* An attribute that any holder of the descriptor may ask for; what changes it is judged by its
 * name. */
static bool is_free(const struct request *request)
{
	return request->place.nameless ||
	       (request->path.is_descriptor &&
		       !(request->path.call->operations & ~(unsigned int)OPERATION_STAT));
}

static bool lets(const struct policy_verdict *verdict)
{
	return verdict->action == POLICY_ALLOW || verdict->action == POLICY_INJECT;
}

static bool is_there(const struct place *place)
{
	struct stat st;

	return place->error == 0 &&
	       fstatat(place->directory, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool exchanges(const struct request *request)
{
	return request->path.flags & RENAME_EXCHANGE;
}

static bool is_directory(const struct place *place)
{
	struct stat st;

	return fstatat(place->directory, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* What a name below a directory stands for, where all names below it have the same answers. */
static void name_below(char *name, size_t capacity, const char *directory)
{
	(void)snprintf(name, capacity, "%s/x", directory[1] ? directory : "");
}

/* Does `to` let do more than `from`? The first operation that it does is answered as for `from`. */
static bool gives_more(const struct broker *broker, const char *from, const char *to,
	struct policy_verdict *refusal)
{
	for (unsigned int operation = 1; operation & OPERATIONS_FILES; operation <<= 1) {
		struct policy_verdict before = policy_decide_file(broker->policy, operation, from);
		struct policy_verdict after = policy_decide_file(broker->policy, operation, to);

		if (lets(&after) && (!lets(&before) || before.action != after.action)) {
			*refusal = lets(&before) ? denied_without_rule : before;
			return true;
		}
	}
	return false;
}

/* Does the name `to` of a unix socket lead to it where `from` does not? */
static bool reaches_more(const struct broker *broker, const char *from, const char *to)
{
	struct policy_endpoint endpoint = {.kind = ENDPOINT_UNIX_PATH, .path = from};
	struct policy_verdict before =
		policy_decide_endpoint(broker->policy, OPERATION_CONNECT, &endpoint);

	endpoint.path = to;
	struct policy_verdict after =
		policy_decide_endpoint(broker->policy, OPERATION_CONNECT, &endpoint);
	return lets(&after) && (!lets(&before) || before.action != after.action);
}

/*
 * A directory takes what is below it along. Where rules speak of single names there, or of more
 * rights at the new place, the answer is that of another filesystem, upon which programs copy file
 * by file: then each is asked about.
 */
static bool takes_along(
	const struct broker *broker, const struct place *from, const struct place *to)
{
	char below_from[NAME_ROOM + 2], below_to[NAME_ROOM + 2];
	struct policy_verdict refusal;

	/* What is no entry of its own cannot be moved, whoever asks. */
	if (name_is_no_entry(from->name) || name_is_no_entry(to->name) || !is_directory(from)) {
		return false;
	}
	name_below(below_from, sizeof(below_from), from->path);
	name_below(below_to, sizeof(below_to), to->path);
	return !policy_is_uniform_below(broker->policy, from->path) ||
	       !policy_is_uniform_below(broker->policy, to->path) ||
	       gives_more(broker, below_from, below_to, &refusal) ||
	       reaches_more(broker, below_from, below_to);
}

static struct policy_verdict as_other_filesystem(const struct policy_verdict *verdict)
{
	return (struct policy_verdict){
		.action = POLICY_DENY, .error = EXDEV, .log = true, .rule = verdict->rule};
}

/* Remove the old name, create the new one, and remove what that was the name of. */
static struct policy_verdict decide_rename(const struct broker *broker, struct request *request)
{
	const char *from = request->place.path, *to = request->second.path;
	bool swaps = exchanges(request);
	/* What leaves something at the old name makes it. */
	bool leaves = request->path.flags & RENAME_WHITEOUT;
	bool replaces = swaps || is_there(&request->second);
	unsigned int operations = OPERATION_CREATE | (replaces ? OPERATION_REMOVE : 0);
	struct policy_verdict verdict = policy_decide_file(broker->policy, operations, to);

	if (lets(&verdict) && (swaps || leaves)) {
		verdict = policy_decide_file(
			broker->policy, swaps ? operations : OPERATION_CREATE, from);
	}
	if (!lets(&verdict)) {
		return verdict;
	}
	/* What was not there when we looked must not be replaced without having been asked about.
	 */
	struct policy_verdict removal = policy_decide_file(broker->policy, OPERATION_REMOVE, to);
	request->path.no_replace = !replaces && !lets(&removal);
	if (takes_along(broker, &request->place, &request->second) ||
		(swaps && takes_along(broker, &request->second, &request->place))) {
		return as_other_filesystem(&verdict);
	}
	return verdict;
}

/* A second name for a file must not let do more than the first. */
static struct policy_verdict decide_link(const struct broker *broker, const struct request *request)
{
	struct policy_verdict verdict = policy_decide_file(
		broker->policy, request->path.call->operations_second, request->second.path);

	if (lets(&verdict) && !request->place.nameless &&
		!gives_more(broker, request->place.path, request->second.path, &verdict) &&
		reaches_more(broker, request->place.path, request->second.path)) {
		verdict = as_other_filesystem(&verdict);
	}
	return verdict;
}

static void decide_path(const struct broker *broker, struct request *request)
{
	const struct path_call *call = request->path.call;

	request->verdict = allowed_without_rule;
	request->path.no_replace = false;
	if ((request->place.unknown && !is_free(request)) || request->second.unknown) {
		request->verdict = denied_without_name;
		return;
	}
	if (call->operations && !is_free(request)) {
		request->verdict =
			policy_decide_file(broker->policy, call->operations, request->place.path);
	}
	/* What only the session has is not linked with or moved to what others have: the kernel
	 * answers. */
	if (!lets(&request->verdict) || call->path_second == NO_ARGUMENT ||
		request->second.nameless) {
		return;
	}
	request->verdict = call->act == PATH_RENAME ? decide_rename(broker, request)
						    : decide_link(broker, request);
}

/* The file that is made for a unix socket is one as any other. */
static struct policy_verdict decide_made(
	const struct broker *broker, const struct request *request, struct policy_verdict verdict)
{
	struct policy_verdict made =
		policy_decide_file(broker->policy, OPERATION_CREATE, request->place.path);

	return !lets(&made) || (made.log && !verdict.log) ? made : verdict;
}

static void decide_address(const struct broker *broker, struct request *request)
{
	struct address_request *address = &request->address;
	struct policy_endpoint *endpoint = &address->endpoint;

	request->verdict = allowed_without_rule;
	if (address->operation == 0) {
		return;
	}
	if (endpoint->kind == ENDPOINT_UNIX_PATH && request->place.unknown) {
		request->verdict = denied_without_name;
		return;
	}
	if (endpoint->kind == ENDPOINT_UNIX_PATH) {
		endpoint->path = request->place.path;
	}
	request->verdict = dns_decide(
		broker->dns, broker->policy, address->operation, endpoint, address->host);
	if (request->call == CALL_BIND && endpoint->kind == ENDPOINT_UNIX_PATH &&
		!request->place.nameless && lets(&request->verdict)) {
		request->verdict = decide_made(broker, request, request->verdict);
	}
}

/* ptrace(2) has the process second, process_vm_readv(2) and process_vm_writev(2) first. */
static void decide_reach(const struct broker *broker, struct request *request)
{
	const struct seccomp_data *data = &request->slot->notification.data;
	pid_t pid = (pid_t)data->args[data->nr == __NR_ptrace ? 1 : 0];
	unsigned int levels = procfs_levels(request->tid);

	/* In a pid namespace of its own the caller sees nobody else; in one that was there before
	 * us numbers mean processes that we do not know by them. */
	bool is_of_session =
		levels > broker->pid_levels || (levels == 1 && members_has(broker, pid));
	request->verdict = is_of_session ? allowed_without_rule : denied_without_rule;
}

static struct policy_verdict decide_mount(
	const struct broker *broker, const struct request *request)
{
	struct policy_verdict denied = denied_without_rule;

	if (request->slot->notification.data.nr != __NR_setns) {
		return admit_mount(broker, request) ? allowed_without_rule : denied;
	}
	int error = admit_namespace(broker, request);
	denied.error = -error;
	denied.log = error != -EBADF; /* that is the kernel's own word */
	return error == 0 ? allowed_without_rule : denied;
}

void decide(const struct broker *broker, struct request *request)
{
	const struct socket_request *socket = &request->socket;

	switch (request->call) {
	case CALL_OPEN:
		decide_open(broker, request);
		break;
	case CALL_CONNECT:
	case CALL_BIND:
	case CALL_LISTEN:
	case CALL_SEND:
		decide_address(broker, request);
		break;
	case CALL_SOCKET:
		request->verdict = policy_decide_socket(broker->policy, socket->family,
			socket->type & SOCKET_TYPE_MASK, socket->protocol);
		break;
	case CALL_REACH:
		decide_reach(broker, request);
		break;
	case CALL_PATH:
		decide_path(broker, request);
		break;
	case CALL_MOUNT:
		request->verdict = decide_mount(broker, request);
		break;
	case CALL_HARMLESS:
	case CALL_NOTHING:
	case CALL_FORGET:
	case CALL_PROBE:
	case CALL_UNKNOWN:
		request->verdict = allowed_without_rule;
		break;
	}
}
