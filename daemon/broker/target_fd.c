/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/target_fd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/missing.h"
#include "daemon/broker/target.h"

#define PLACES          64u
#define LIMIT_PER_PLACE 16u      /* of RLIMIT_NOFILE, where that is low */
#define FLAGS           "flags:" /* of /proc/PID/fdinfo/N, in octal */

/* Who uses one takes it out of its place, so that two never use, or close, the same. */
struct keep {
	pthread_mutex_t lock;
	struct kept {
		pid_t tid; /* 0: nothing is kept here */
		int number;
		int fd;
	} places[PLACES];
};

static_assert(TARGET_FDS_KEPT == 3 * PLACES, "pidfds, statuses and fdinfos");
static struct keep pidfds = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct keep statuses = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct keep fdinfos = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t places = PLACES; /* that are used: set once, at the first look */
static pthread_once_t places_counted = PTHREAD_ONCE_INIT;

/* Where few descriptors can be had, most of them are for the calls. */
static void count_places(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / LIMIT_PER_PLACE < PLACES) {
		places = limit.rlim_cur / LIMIT_PER_PLACE + 1;
	}
}

static struct kept *place_of(struct keep *keep, pid_t tid, int number)
{
	pthread_once(&places_counted, count_places);
	return &keep->places[((size_t)tid + (size_t)number) % places];
}

/* -1 if there is none. */
static int take_out(struct keep *keep, pid_t tid, int number)
{
	struct kept *place = place_of(keep, tid, number);
	int fd = -1;

	pthread_mutex_lock(&keep->lock);
	if (tid > 0 && place->tid == tid && place->number == number) {
		fd = place->fd;
		place->tid = 0;
	}
	pthread_mutex_unlock(&keep->lock);
	return fd;
}

/* Consumes `fd`. */
static void put_back(struct keep *keep, pid_t tid, int number, int fd)
{
	struct kept *place = place_of(keep, tid, number);

	pthread_mutex_lock(&keep->lock);
	struct kept before = *place;
	*place = (struct kept){.tid = tid, .number = number, .fd = fd};
	pthread_mutex_unlock(&keep->lock);
	if (before.tid) {
		close(before.fd);
	}
}

static int take_by(int pidfd, int fd)
{
	int copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	return copy < 0 ? -errno : copy;
}

/*
 * A thread may have a table of its own; before 6.9 only that of the process can be had. That
 * one is not kept: it says nothing of the thread's end.
 */
static int take_by_process(pid_t tid, int fd)
{
	pid_t tgid = target_tgid(tid);
	cleanup_fd int pidfd = tgid < 0 ? tgid : (int)syscall(SYS_pidfd_open, tgid, 0);

	if (pidfd < 0) {
		return tgid < 0 ? tgid : -errno;
	}
	return take_by(pidfd, fd);
}

int target_take_fd(pid_t tid, int fd)
{
	int pidfd = take_out(&pidfds, tid, 0);
	int copy = pidfd < 0 ? -ESRCH : take_by(pidfd, fd);

	if (copy == -ESRCH) {
		close_fd(&pidfd);
		pidfd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
		if (pidfd < 0) {
			return errno == EINVAL ? take_by_process(tid, fd) : -errno;
		}
		copy = take_by(pidfd, fd);
	}
	put_back(&pidfds, tid, 0, pidfd);
	return copy;
}

static int open_fdinfo(pid_t tid, int fd)
{
	char entry[32];

	(void)snprintf(entry, sizeof(entry), "fdinfo/%d", fd);
	int info = target_open_entry(tid, entry, O_RDONLY);
	return info == -ENOENT ? -EBADF : info;
}

/* Consumes `info`, which is kept if the number is in use. */
static int read_flags(int info, pid_t tid, int fd)
{
	char text[512];
	ssize_t size = pread(info, text, sizeof(text) - 1, 0);

	if (size <= 0) {
		close(info);
		return -EBADF;
	}
	put_back(&fdinfos, tid, fd, info);
	text[size] = '\0';
	const char *line = strstr(text, FLAGS);
	return line ? (int)strtoul(line + strlen(FLAGS), NULL, 8) : -EBADF;
}

int target_fd_flags(pid_t tid, int fd)
{
	int info = take_out(&fdinfos, tid, fd);
	int flags = info < 0 ? -EBADF : read_flags(info, tid, fd);

	if (flags >= 0) {
		return flags;
	}
	info = open_fdinfo(tid, fd);
	return info < 0 ? info : read_flags(info, tid, fd);
}

int target_read_caller_status(pid_t tid, char status[TARGET_STATUS_ROOM])
{
	int fd = take_out(&statuses, tid, 0);
	int error = fd < 0 ? -ESRCH : target_status_from(fd, status);

	if (error < 0) {
		close_fd(&fd);
		fd = target_open_entry(tid, "status", O_RDONLY);
		error = fd < 0 ? fd : target_status_from(fd, status);
	}
	if (error < 0) {
		close_fd(&fd);
		return error;
	}
	put_back(&statuses, tid, 0, fd);
	return 0;
}
