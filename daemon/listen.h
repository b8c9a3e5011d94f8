/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix sockets that a daemon listens on. A lock file beside the socket says whether another daemon
 * serves it: what a dead one has left behind is replaced, a living one's is not touched.
 */
#pragma once

#include <sys/types.h>

/*
 * Takes the lock of `path` (PATH.lock), making its directory if only that is missing. Returns a
 * descriptor that holds it, or a negative errno: -EADDRINUSE if another process does.
 */
int listen_lock(const char *path);

/*
 * Makes a listening socket; whoever calls holds the lock. It appears at `path` only when it has its
 * mode and group and listens. `group` (gid_t)-1: as it comes. Returns a descriptor or a negative
 * errno.
 */
int listen_unix(const char *path, int type, mode_t mode, gid_t group);

/* A descriptor that came from outside: 0, or -EINVAL if it does not listen as a unix `type`. */
int listen_check(int fd, int type);
