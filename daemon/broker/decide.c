/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/decide.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "daemon/broker/broker.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

#define SOCKET_TYPE_MASK 0xf /* SOCK_TYPE_MASK of the kernel */

static const struct policy_verdict allowed_without_rule = {.action = POLICY_ALLOW};
static const struct policy_verdict denied_without_rule = {
	.action = POLICY_DENY, .error = EPERM, .log = true};

/*
 * An open that may create asks for `create` only if it does: where that alone is denied, what
 * exists may still be opened.
 */
static void decide_open(const struct broker *broker, struct request *request)
{
	struct open_request *open = &request->open;
	unsigned int others = open->operations & ~(unsigned int)OPERATION_CREATE;
	const char *path = request->place.path;

	open->only_existing = false;
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

static void decide_connect(const struct broker *broker, struct request *request)
{
	struct policy_endpoint *endpoint = &request->connect.endpoint;

	if (endpoint->kind == ENDPOINT_OTHER && endpoint->family == AF_UNSPEC) {
		request->verdict = allowed_without_rule;
		return;
	}
	if (endpoint->kind == ENDPOINT_UNIX_PATH) {
		endpoint->path = request->place.path;
	}
	request->verdict = policy_decide_endpoint(broker->policy, OPERATION_CONNECT, endpoint);
}

/* ptrace(2) has the process second, process_vm_readv(2) and process_vm_writev(2) first. */
static void decide_reach(const struct broker *broker, struct request *request)
{
	const struct seccomp_data *data = &request->slot->notification.data;
	pid_t pid = (pid_t)data->args[data->nr == __NR_ptrace ? 1 : 0];

	request->verdict = target_descends_from(pid, broker->first) ? allowed_without_rule
								    : denied_without_rule;
}

void decide(const struct broker *broker, struct request *request)
{
	const struct socket_request *socket = &request->socket;

	switch (request->call) {
	case CALL_OPEN:
		decide_open(broker, request);
		break;
	case CALL_CONNECT:
		decide_connect(broker, request);
		break;
	case CALL_SOCKET:
		request->verdict = policy_decide_socket(broker->policy, socket->family,
			socket->type & SOCKET_TYPE_MASK, socket->protocol);
		break;
	case CALL_REACH:
		decide_reach(broker, request);
		break;
	case CALL_FORGET:
	case CALL_PROBE:
	case CALL_UNKNOWN:
		request->verdict = allowed_without_rule;
		break;
	}
}
