/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked thread: its memory, directories, descriptors, ids and signals, read from outside. A
 * thread id may be that of another thread by the time we look, if the target was killed: whoever
 * acts on what he read here asks notify_is_pending() before the act.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define TARGET_STATUS_ROOM 16384

/* Copies exactly `size` bytes. 0 or a negative errno: -EFAULT as the kernel would say, -EPERM,
 * -ESRCH. */
int target_read(pid_t tid, uint64_t address, void *buffer, size_t size);

/* Copies `size` bytes from the target's `parts`, beginning `skip` bytes into them. As
 * target_read().
 */
int target_read_parts(
	pid_t tid, const struct iovec *parts, size_t count, size_t skip, void *buffer, size_t size);

/* Writes exactly `size` bytes there. As target_read(). */
int target_write(pid_t tid, uint64_t address, const void *buffer, size_t size);

/*
 * Writes `count` parts, each of as many bytes there as here. It is one call: a write may wait for
 * memory that the target has somebody supply, its target may die meanwhile, and what is written by
 * its number after that goes to whoever has it then.
 */
int target_write_parts(
	pid_t tid, const struct iovec *there, const struct iovec *here, size_t count);

/*
 * Copies a string with its NUL. 0 or a negative errno: -EFAULT, -ENAMETOOLONG (no NUL within
 * `capacity`).
 */
int target_read_string(pid_t tid, uint64_t address, char *buffer, size_t capacity);

/* A descriptor of /proc/TID/ENTRY, or a negative errno. */
int target_open_entry(pid_t tid, const char *entry, int flags);

/* O_PATH descriptors of the thread's own working directory, root, or descriptor `fd` (-EBADF). */
int target_open_cwd(pid_t tid);
int target_open_root(pid_t tid);
int target_open_fd(pid_t tid, int fd);

/* The process that the thread belongs to, or a negative errno. */
pid_t target_tgid(pid_t tid);

/* The process that is the parent of the thread's, or a negative errno. */
pid_t target_parent(pid_t tid);

/* How many seccomp filters it is under; 0 also where the kernel does not tell (Linux 5.9 does). */
uint32_t target_filters(pid_t tid);

/* /proc/TID/status, NUL-terminated. 0 or a negative errno. */
int target_read_status(pid_t tid, char status[TARGET_STATUS_ROOM]);
/* The same by a descriptor of that file: -ESRCH when the thread has ended. */
int target_status_from(int fd, char status[TARGET_STATUS_ROOM]);
/* What stands behind "NAME:\t" there, or NULL. */
const char *target_status_field(const char *status, const char *name);

/* The umask of the thread. 0 or a negative errno. */
int target_read_umask(pid_t tid, mode_t *mask);
/* The same from what target_read_status() has read. 0 or -ESRCH. */
int target_umask_of(const char *status, mode_t *mask);

/* Is it the only thread of its process? False if that cannot be told. */
bool target_has_one_thread(pid_t tid);

/* Is each descriptor below `limit` open in the thread? False if that cannot be told. Linux 6.2
 * tells how many it has open; where there are as many, and with older kernels where the table has
 * no room to spare, they are counted. */
bool target_has_full_table(pid_t tid, uint64_t limit);

/* In another user namespace than ours? Also if that cannot be told. */
bool target_is_in_other_user_namespace(pid_t tid);

/*
 * Will this thread surely handle a signal as soon as its call returns? False if another thread of
 * its process may take it instead: an answer of -ERESTARTSYS would then reach the program.
 */
bool target_has_signal(pid_t tid);

/* When the thread began, in clock ticks since the machine did (proc_pid_stat(5)). 0 or -ESRCH. */
int target_start(pid_t tid, uint64_t *ticks);

/* Is `pid` the process `first` or a descendant of it? */
bool target_descends_from(pid_t pid, pid_t first);

/* The path of the thread's controlling terminal below /dev, e.g. "/dev/pts/3". 0, -ENXIO or others.
 */
int target_terminal(pid_t tid, char *path, size_t capacity);
