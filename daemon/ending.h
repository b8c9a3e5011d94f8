/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ending a session for its owner: its processes get SIGTERM, and SIGKILL after a grace. They are
 * found as the descendants of the one that asked for the session. What has left that tree (its
 * parent has ended) only the broker knows, by the calls that it has made (broker/members.h), and
 * signals it. Who has made none yet, or none since a broker died, is killed at its next notified
 * call, for which SESSION_ENDING is set with the SIGKILL.
 */
#pragma once

#include <stdint.h>

struct context;

/*
 * Begins; a second call for the same session changes the grace. How many processes had the signal,
 * or a negative errno: -ESRCH (there is no such session), -ENOMEM.
 */
int ending_begin(struct context *context, uint64_t id, unsigned int grace_ms);

/* The daemon ends: what is pending is forgotten. */
void ending_finish(struct context *context);
