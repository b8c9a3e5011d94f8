/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/admit.h"

#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "daemon/broker/broker.h"
#include "daemon/broker/mounts.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

#ifndef MOVE_MOUNT_SET_GROUP
#define MOVE_MOUNT_SET_GROUP 0x100 /* Linux 5.15 */
#endif
#define MAGIC_MASK  0xffff0000ul /* MS_MGC_MSK: what very old programs had in the upper half */
#define PROPAGATION (MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE)

static uint64_t argument(const struct request *request, int index)
{
	return request->slot->notification.data.args[index];
}

static bool is_in_first_namespace(pid_t tid)
{
	struct stat ours, theirs;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", tid);
	return stat("/proc/self/ns/mnt", &ours) < 0 || stat(path, &theirs) < 0 ||
	       (ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev);
}

/* Only how mounts are copied from now on, as path_mount() of the kernel reads the flags. */
static bool changes_propagation(const struct request *request)
{
	unsigned long flags = argument(request, 3);

	if ((flags & MAGIC_MASK) == MS_MGC_VAL) {
		flags &= ~MAGIC_MASK;
	}
	return (flags & PROPAGATION) && !(flags & (MS_REMOUNT | MS_BIND));
}

/* What joins no mount to the tree. */
static bool is_local(const struct request *request)
{
	switch (request->slot->notification.data.nr) {
	case SYS_mount:
		return changes_propagation(request);
	case SYS_mount_setattr:
	case SYS_fsopen:
	case SYS_fspick:
	case SYS_fsconfig:
	case SYS_fsmount:
		return true;
	default:
		return false;
	}
}

bool admit_mount(const struct broker *broker, const struct request *request)
{
	/* A mount of theirs could be made a peer of one in the first namespace. */
	if (request->slot->notification.data.nr == SYS_move_mount &&
		(argument(request, 4) & MOVE_MOUNT_SET_GROUP)) {
		return false;
	}
	return broker_knows(broker, SESSION_ROOT_IS_OURS) && !is_in_first_namespace(request->tid) &&
	       (is_local(request) || !mounts_reach_first(broker, request));
}

bool admit_is_asked(unsigned int flags)
{
	return flags == 0 || (flags & CLONE_NEWNS);
}

bool admit_namespace(const struct broker *broker, const struct request *request)
{
	(void)broker;
	(void)request;
	return false;
}
