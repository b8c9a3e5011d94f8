/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and mapping the memory of a session (include/usher/session.h). The supervisor makes it,
 * keeps the descriptor beside the listener, and gives it to each broker that serves the session.
 * Its size is sealed, so nobody who maps it can be killed by another's truncation.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "usher/session.h"

/*
 * Makes the memory of a new session and maps it. Returns the memfd, which is the caller's and
 * CLOEXEC, or a negative errno with nothing mapped.
 */
int session_memory_create(uint64_t session, struct session_memory **mapped);

/*
 * Maps a session's memory that another process has made; does not consume `fd`. 0 or a negative
 * errno: -EPROTONOSUPPORT if it is of another version, -EBADMSG if it is none, of the exact size
 * and sealed.
 */
int session_memory_map(int fd, struct session_memory **mapped);

/*
 * A broker that somebody has killed has not died over what it was doing: nothing is held against
 * the notifications that it had, and its successor does them again.
 */
void session_memory_forgive(struct session_memory *memory);

/*
 * Who serves a session holds the lock of its memory, from before its first look at a slot until it
 * is dead; nobody else can. It is a lock of fcntl(2): the kernel takes it away with the process, it
 * is not inherited, and it is lost with the first descriptor of the memory that its holder closes.
 * 0 or a negative errno: -EBUSY if another process serves.
 */
int session_memory_lock(int fd);

/* The process that serves, as the kernel knows it; 0: none; or a negative errno. */
pid_t session_memory_server(int fd);

/*
 * Notes that a broker is started, and tells when one last was (all zero if nobody knows): as the
 * time of the memory's last change, which outlives whoever notes it. Mapped writes do not count.
 */
void session_memory_mark(int fd);
struct timespec session_memory_marked(int fd);

/* NULL is nothing. */
void session_memory_unmap(struct session_memory *memory);

/* For `__attribute__((cleanup))`. */
static inline void cleanup_session_memory_pointer(struct session_memory **memoryp)
{
	session_memory_unmap(*memoryp);
}
#define cleanup_session_memory __attribute__((cleanup(cleanup_session_memory_pointer)))
