/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/join.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/assume.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/helper.h"
#include "daemon/broker/idmap.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

struct visit {
	const struct broker *broker;
	struct worker *worker;
	struct request *request;
	join_function *function;
	int namespace;
	struct identity_inside inside;
	bool has_joined;
	enum act_outcome outcome;
};

/* What is in these depends on who has opened them, or judges by that: user_namespaces(7). */
static bool is_of_opener(const char *path)
{
	static const char *const names[] = {
		"uid_map", "gid_map", "projid_map", "setgroups", "status"};
	const char *last = strrchr(path, '/');

	for (size_t i = 0; i < array_length(names); i++) {
		if (strcmp(last ? last + 1 : path, names[i]) == 0) {
			return true;
		}
	}
	return strncmp(path, "/proc/net/", 10) == 0;
}

bool join_is_needed(const struct request *request)
{
	return request->may_join && request->call == CALL_OPEN && is_of_opener(request->open.path);
}

bool join_may_help(const struct request *request, enum act_outcome outcome)
{
	return request->may_join && request->own_identity.inside_capabilities != 0 &&
	       (request->call == CALL_OPEN || request->call == CALL_PATH) && outcome == ACT_DONE &&
	       (request->result == -EACCES || request->result == -EPERM) &&
	       request->verdict.action != POLICY_DENY;
}

static void go_inside(void *argument)
{
	struct visit *visit = argument;
	struct broker inside = *visit->broker;

	if (identity_join(&visit->inside, visit->namespace) < 0) {
		return;
	}
	/* The broker's own directory there is none of ours. */
	inside.proc_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (inside.proc_fds >= 0) {
		visit->has_joined = true;
		visit->outcome = visit->function(&inside, visit->worker, visit->request);
		close(inside.proc_fds);
	}
}

/* The numbers that the caller's uids have inside. 0 or a negative errno. */
static int translate(struct identity_inside *inside, const struct request *request)
{
	const struct identity *own = &request->own_identity;
	struct idmap *map = malloc(sizeof(*map));
	cleanup_free void *owned = map;

	if (!map) {
		return -ENOMEM;
	}
	int error = idmap_read(map, request->tid, "uid_map");
	if (error < 0) {
		return error;
	}
	*inside = (struct identity_inside){.has_uids = map->count > 0,
		.uid = idmap_inward(map, own->uid),
		.effective_uid = idmap_inward(map, own->effective_uid),
		.capabilities = own->inside_capabilities};
	/* access(2) by the real ids: only root of the namespace has capabilities then. */
	if (own->by_real_ids && inside->effective_uid != 0) {
		inside->capabilities = 0;
	}
	return 0;
}

enum act_outcome join(const struct broker *broker, struct worker *worker, struct request *request,
	join_function *function, enum act_outcome otherwise)
{
	struct visit visit = {.broker = broker,
		.worker = worker,
		.request = request,
		.function = function,
		.outcome = otherwise};
	uid_t uid = request->own_identity.uid;
	int result = request->result;

	assume_broker(broker, request);
	cleanup_fd int namespace = target_open_entry(request->tid, "ns/user", O_RDONLY);
	int error = namespace < 0 ? namespace : translate(&visit.inside, request);
	assume_target(broker, request);
	if (error < 0) {
		return otherwise;
	}
	visit.namespace = namespace;
	visit.inside.ours = broker->identity.effective_uid;
	request->joined = true;
	request->own_identity.uid = visit.inside.uid;
	error = helper_run(go_inside, &visit);
	request->joined = false;
	request->own_identity.uid = uid;
	if (error < 0 || !visit.has_joined) {
		request->result = result;
	}
	return visit.outcome;
}
