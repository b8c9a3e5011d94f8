/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker of a session: started, taken over from an earlier daemon, and replaced when it dies,
 * at once or later and later. There is never more than one: whoever serves holds the lock of the
 * session's memory, and before a broker is started the lock is looked at.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct child_estate;
struct session;

/* Starts one and gives it the session. 0 or a negative errno; all else is told as events. */
int session_start_broker(struct session *session);

/* Goes on with the broker that an earlier daemon has left, or starts one if `estate` is NULL. */
void session_go_on(struct session *session, const struct child_estate *estate);

/*
 * Can the process of this pidfd, which is `pid`, be the broker? The kernel names who has taken the
 * lock of the memory, and may say so when that one has ended and its number is another's: so it is
 * believed of those alone that the session's user may end himself.
 */
bool session_may_be_served_by(const struct session *session, pid_t pid, int pidfd);
