/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/admit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/identity.h"
#include "daemon/broker/members.h"
#include "daemon/broker/mounts.h"
#include "daemon/broker/namespaces.h"
#include "daemon/broker/request.h"
#include "daemon/broker/table.h"
#include "daemon/broker/target.h"
#include "daemon/broker/target_fd.h"

#ifndef MOVE_MOUNT_SET_GROUP
#define MOVE_MOUNT_SET_GROUP 0x100 /* Linux 5.15 */
#endif
#define FDINFO_ROOM 512u
#define MAGIC_MASK  0xffff0000ul /* MS_MGC_MSK: what very old programs had in the upper half */
#define PROPAGATION (MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE)

static uint64_t argument(const struct request *request, int index)
{
	return request->slot->notification.data.args[index];
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
	return broker_knows(broker, SESSION_ROOT_IS_OURS) && !namespaces_is_first(request->tid) &&
	       (is_local(request) || !mounts_reach_first(broker, request));
}

bool admit_is_asked(unsigned int flags)
{
	return flags == 0 || (flags & (CLONE_NEWNS | CLONE_NEWPID));
}

/* What setns(2) is given: which process's namespaces, or which namespace. */
enum given {
	GIVEN_PROCESS,
	GIVEN_MOUNTS,
	GIVEN_PROCESSES,
	GIVEN_OTHER, /* the kernel refuses it, or it is of another kind */
	GIVEN_UNKNOWN,
};

/* Of a pidfd. -EINVAL: it is none; -ESRCH: nobody that has a number here. */
static pid_t process_of(int fd)
{
	char path[64], text[FDINFO_ROOM];

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	cleanup_fd int info = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = info < 0 ? -1 : read(info, text, sizeof(text) - 1);
	if (size < 0) {
		return -errno;
	}
	text[size] = '\0';
	const char *line = target_status_field(text, "Pid");
	long pid = line ? strtol(line, NULL, 10) : 0;
	return !line ? -EINVAL : pid > 0 ? (pid_t)pid : -ESRCH;
}

static enum given what_is(int fd)
{
	struct statfs filesystem;
	int kind;

	if (fstatfs(fd, &filesystem) < 0) {
		return GIVEN_UNKNOWN;
	}
	if (filesystem.f_type != NSFS_MAGIC) {
		return process_of(fd) == -EINVAL ? GIVEN_OTHER : GIVEN_PROCESS;
	}
	kind = ioctl(fd, NS_GET_NSTYPE);
	return kind == CLONE_NEWNS    ? GIVEN_MOUNTS
	       : kind == CLONE_NEWPID ? GIVEN_PROCESSES
	       : kind < 0             ? GIVEN_UNKNOWN
				      : GIVEN_OTHER;
}

/* The number was its own all the time if it is so before and after. */
static bool is_process_of_session(const struct broker *broker, int pidfd)
{
	pid_t pid = process_of(pidfd);

	return pid > 0 && members_has(broker, pid) && process_of(pidfd) == pid;
}

struct sought {
	const char *kind;
	struct stat namespace;
};

static bool lives_in(void *state, int process)
{
	const struct sought *sought = state;
	struct stat namespace;

	return namespaces_of_process(process, sought->kind, &namespace) == 0 &&
	       namespaces_is_same(&namespace, &sought->namespace);
}

/* We hold it, so that its number is no other's. */
static bool is_namespace_of_session(const struct broker *broker, const char *kind, int fd)
{
	struct sought sought = {.kind = kind};
	struct stat first;

	return fstat(fd, &sought.namespace) == 0 && namespaces_of(getpid(), kind, &first) == 0 &&
	       (namespaces_is_same(&sought.namespace, &first) ||
		       namespaces_find(broker, kind, lives_in, &sought));
}

/* Names of files are changed for who goes to another mount namespace: see mounts.h. */
static bool may_change_names(const struct request *request, enum given given)
{
	return given == GIVEN_MOUNTS ||
	       (given == GIVEN_PROCESS && (argument(request, 1) & CLONE_NEWNS));
}

/* 0 or -EPERM. */
static int judge_given(const struct broker *broker, const struct request *request, int fd)
{
	enum given given = what_is(fd);

	if (may_change_names(request, given) && !broker_knows(broker, SESSION_ROOT_IS_OURS)) {
		return -EPERM;
	}
	switch (given) {
	case GIVEN_PROCESS:
		return is_process_of_session(broker, fd) ? 0 : -EPERM;
	case GIVEN_MOUNTS:
		return is_namespace_of_session(broker, NAMESPACE_MOUNTS, fd) ? 0 : -EPERM;
	case GIVEN_PROCESSES:
		return is_namespace_of_session(broker, NAMESPACE_PROCESSES, fd) ? 0 : -EPERM;
	case GIVEN_OTHER:
		return 0;
	case GIVEN_UNKNOWN:
		break;
	}
	return -EPERM;
}

/*
 * Who shares his table mostly shares his working directory, too, and then the kernel lets nobody go
 * anywhere: mntns_install(), which asks for capabilities first.
 */
static int refuse_sharer(const struct request *request, int fd)
{
	const uint64_t wanted = 1ull << CAP_SYS_ADMIN | 1ull << CAP_SYS_CHROOT;
	struct identity *identity = malloc(sizeof(*identity));
	cleanup_free void *owned = identity;

	if (fd < 0) {
		return fd;
	}
	enum given given = what_is(fd);
	if (given == GIVEN_OTHER) {
		return argument(request, 1) ? -EINVAL : -EPERM;
	}
	if (!may_change_names(request, given)) {
		return -EPERM;
	}
	if (target_has_one_thread(request->tid) || !identity ||
		identity_read(identity, request->tid) < 0) {
		return -EPERM;
	}
	uint64_t capabilities = identity->capabilities | identity->inside_capabilities;
	return (capabilities & wanted) == wanted ? -EINVAL : -EPERM;
}

/* The call is continued, and the kernel looks the descriptor up again: see table.h. */
int admit_namespace(const struct broker *broker, const struct request *request)
{
	cleanup_fd int fd = target_take_fd(request->tid, (int)argument(request, 0));

	if (!table_is_own(broker, request->tid)) {
		return refuse_sharer(request, fd);
	}
	return fd < 0 ? fd : judge_given(broker, request, fd);
}
