/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes are of the session: the first one, those that descend from one that is, and those
 * that have ever made a call that was notified, since only who is under the session's filter can.
 * That is how a process is known whose parent has ended (daemon(3)), and its children.
 *
 * Whoever execs usher may have children already, which are not under the filter: what is under
 * fewer than the first process was from the start is not of the session, whoever its parent is.
 *
 * For each thread number it is kept when it was last heard of. A number that is another thread's
 * since then is told by that thread's start, which is later.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct broker;
struct members;

/* 0 or a negative errno. They live as long as the broker does. */
int members_new(struct members **membersp);

/*
 * The thread has made a call that was notified, and still waits for the answer; it is `now_ns` by
 * CLOCK_BOOTTIME.
 */
void members_note(struct members *members, pid_t tid, uint64_t now_ns);

/* Is the process, or the thread, of the session? */
bool members_has(const struct broker *broker, pid_t pid);

/*
 * Sends a signal to each process of the session that does not descend from its first one any more,
 * as far as it is known: who has made no call since an earlier broker died, and descends from
 * nobody who has, is not.
 */
void members_signal(const struct broker *broker, int signal);
