/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for what nobody tells of. A time that is surely long enough is too short on a busy
 * machine, so these wait for what can be seen: that a process sleeps, that a broker gets its turns.
 */
#pragma once

#include <sys/types.h>

/*
 * Until the process `pid`, or the thread of that number, does not run: the only call that it makes
 * from now on, and that can wait, has begun to.
 */
void settle_asleep(pid_t pid);

/*
 * What a broker does when it looks (end a call whose thread has died or has a signal) it has done
 * then: some time has gone by, and calls of ours were answered again and again.
 */
void settle(void);
