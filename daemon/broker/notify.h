/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener: the only user of the seccomp ioctls (seccomp_unotify(2)). ENOENT is normal from
 * each of them and means that the target went away or that its call was interrupted.
 */
#pragma once

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/* 0 if this kernel's structures fit ours, -EOVERFLOW if they are larger than a slot has room for.
 */
int notify_check_sizes(void);

/* Asks for synchronous wake-ups (Linux 6.6). What an older kernel lacks costs time only. */
void notify_prefer_sync_wake_up(int listener);

/*
 * Sleeps for a notification and receives it into `notification`, which must be zeroed. 0 or a
 * negative errno: -ENOENT (withdrawn meanwhile, or no target left), -EINTR.
 */
int notify_receive(int listener, struct seccomp_notif *notification);

/* Has the last target ended? RECV fails at once from then on, with -ENOENT. */
bool notify_is_over(int listener);

/* Does the target still wait for this answer? */
bool notify_is_pending(int listener, uint64_t id);

/*
 * Installs a copy of `fd` in the target, at the lowest free number, or in place of `replace` if
 * that is not negative. Returns the number in the target, or a negative errno: the target's own
 * -EMFILE, -ENOENT.
 */
int notify_install_fd(int listener, uint64_t id, int fd, bool cloexec, int replace);

/* Ends the notified call with `value`, or with -`error` if that is not 0. 0 or a negative errno. */
int notify_answer(int listener, uint64_t id, int64_t value, int error);

/* Lets the kernel perform the call. Only for calls whose arguments are all numbers. */
int notify_continue(int listener, uint64_t id);
