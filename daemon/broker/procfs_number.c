/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/procfs_number.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/assume.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/namespaces.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

#define LEVELS_MAX 33 /* MAX_PID_NS_LEVEL of the kernel, and the first */

struct numbers {
	pid_t of[LEVELS_MAX];
	unsigned int count;
};

/* "NSpid:\t100\t5\t1": from the namespace of the procfs that it was read in, inwards. */
static void parse_numbers(struct numbers *numbers, const char *status, const char *field)
{
	const char *text = target_status_field(status, field);

	numbers->count = 0;
	while (text && numbers->count < LEVELS_MAX) {
		char *end;
		long number = strtol(text, &end, 10);
		if (end == text || memchr(text, '\n', (size_t)(end - text))) {
			return;
		}
		numbers->of[numbers->count++] = (pid_t)number;
		text = end;
	}
}

static int read_status(int root, pid_t pid, char status[TARGET_STATUS_ROOM])
{
	char path[32];

	(void)snprintf(path, sizeof(path), "%d/status", pid);
	cleanup_fd int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : target_status_from(fd, status);
}

static bool is_in_same_namespace(int root, pid_t there, pid_t here)
{
	struct stat a, b;
	char path[32], our_path[64];

	(void)snprintf(path, sizeof(path), "%d/ns/pid", there);
	(void)snprintf(our_path, sizeof(our_path), "/proc/%d/ns/pid", here);
	return fstatat(root, path, &a, 0) == 0 && stat(our_path, &b) == 0 &&
	       namespaces_is_same(&a, &b);
}

/* Is the thread's group what the procfs has under its number of `level`? */
static bool is_seen_at(int root, pid_t tid, const struct numbers *tgids, unsigned int level)
{
	char status[TARGET_STATUS_ROOM];
	struct numbers theirs;
	unsigned int count = tgids->count - level;

	if (read_status(root, tgids->of[level], status) < 0) {
		return false;
	}
	parse_numbers(&theirs, status, "NSpid");
	return theirs.count == count &&
	       memcmp(theirs.of, tgids->of + level, count * sizeof(pid_t)) == 0 &&
	       is_in_same_namespace(root, tgids->of[level], tid);
}

static void find_level(const struct broker *broker, const struct request *request, int root,
	struct procfs_caller *caller)
{
	char status[TARGET_STATUS_ROOM];
	struct numbers tids, tgids;

	if (target_read_status(request->tid, status) < 0) {
		return;
	}
	parse_numbers(&tids, status, "NSpid");
	parse_numbers(&tgids, status, "NStgid");
	for (unsigned int level = tgids.count; level-- > 1;) {
		if (tids.count == tgids.count && is_seen_at(root, request->tid, &tgids, level)) {
			caller->tgid = tgids.of[level];
			caller->tid = tids.of[level];
			caller->is_of_session = level >= broker->pid_levels;
			return;
		}
	}
}

struct procfs_caller procfs_find_caller(
	const struct broker *broker, struct request *request, int root)
{
	struct procfs_caller caller = {0};
	struct stat ours, theirs;

	if (fstat(broker->proc_fds, &ours) == 0 && fstat(root, &theirs) == 0 &&
		ours.st_dev == theirs.st_dev) {
		if (request->tgid == 0) {
			request->tgid = target_tgid(request->tid);
		}
		caller.is_ours = true;
		caller.tgid = request->tgid;
		caller.tid = request->tid;
		return caller;
	}
	assume_broker(broker, request);
	find_level(broker, request, root, &caller);
	assume_target(broker, request);
	return caller;
}

unsigned int procfs_levels(pid_t tid)
{
	char status[TARGET_STATUS_ROOM];
	struct numbers numbers;

	if (target_read_status(tid, status) < 0) {
		return 0;
	}
	parse_numbers(&numbers, status, "NSpid");
	return numbers.count;
}
