/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptors of the blocked thread. What is needed to ask for them is kept from one call to
 * the next: a pidfd of the thread, and the fdinfo of its numbers, which tells of whatever lies
 * under that number when it is read. Both belong to the thread and not to its id: when it has ended
 * they say so, and are had anew. So nothing that is kept here can be wrong, only useless.
 */
#pragma once

#include <sys/types.h>

/* A copy of the thread's descriptor `fd` itself. Ours to close; or a negative errno (-EBADF). */
int target_take_fd(pid_t tid, int fd);

/* The flags of its descriptor as open(2) knows them, with O_CLOEXEC; or a negative errno. */
int target_fd_flags(pid_t tid, int fd);
