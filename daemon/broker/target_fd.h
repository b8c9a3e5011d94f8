/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptors of the blocked thread, and what it is. What is needed to ask is kept from one
 * call to the next: a pidfd of the thread, its status, and the fdinfo of its numbers, which tells
 * of whatever lies under that number when it is read. All belong to the thread and not to its id:
 * when it has ended they say so, and are had anew. So nothing that is kept here can be wrong, only
 * useless.
 */
#pragma once

#include <sys/types.h>

#include "daemon/broker/target.h"

/* The most descriptors that are kept; where RLIMIT_NOFILE is low it is at most a fifth of that. */
#define TARGET_FDS_KEPT 192u

/* A copy of the thread's descriptor `fd` itself. Ours to close; or a negative errno (-EBADF). */
int target_take_fd(pid_t tid, int fd);

/* The flags of its descriptor as open(2) knows them, with O_CLOEXEC; or a negative errno. */
int target_fd_flags(pid_t tid, int fd);

/*
 * As target_read_status(), of a thread that waits for our answer and may ask again. Ids are told as
 * the user namespace has them from which the first look was made: a helper does not look at them.
 */
int target_read_caller_status(pid_t tid, char status[TARGET_STATUS_ROOM]);
