/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/procfs_settings.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/assume.h"
#include "daemon/broker/namespaces.h"
#include "daemon/broker/request.h"

static const struct {
	const char *begin, *kind;
} settings[] = {
	{"/sys/net/", "net"},
	{"/sys/fs/mqueue/", "ipc"},
	{"/sys/kernel/msg", "ipc"},
	{"/sys/kernel/sem", "ipc"},
	{"/sys/kernel/shm", "ipc"},
	{"/sys/kernel/auto_msgmni", "ipc"},
	{"/sys/kernel/pid_max", "pid"}, /* since Linux 6.14 */
	{"/sys/user/", "user"},
};

static bool shares_namespace(const char *kind, pid_t tid)
{
	char ours[64], theirs[64];
	struct stat a, b;

	(void)snprintf(ours, sizeof(ours), "/proc/thread-self/ns/%s", kind);
	(void)snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", tid, kind);
	return stat(ours, &a) == 0 && stat(theirs, &b) == 0 && namespaces_is_same(&a, &b);
}

bool procfs_is_setting_elsewhere(
	const struct broker *broker, const struct request *request, const char *below)
{
	bool is_elsewhere = false;

	if (request->call != CALL_OPEN || !(request->open.operations & OPERATION_WRITE)) {
		return false;
	}
	assume_broker(broker, request);
	for (size_t i = 0; i < array_length(settings) && !is_elsewhere; i++) {
		is_elsewhere = strncmp(below, settings[i].begin, strlen(settings[i].begin)) == 0 &&
			       !shares_namespace(settings[i].kind, request->tid);
	}
	assume_target(broker, request);
	return is_elsewhere;
}
