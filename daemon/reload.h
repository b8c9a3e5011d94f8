/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading configuration and policies anew, all or nothing. A worker reads and compares; the loop
 * then puts the new configuration in the place of the old, and gives their new policies to the
 * sessions that follow theirs:
 *
 *   READING   a worker reads; the daemon serves by what it has
 *   GIVING    brokers have been told, and have not said yet that they hold by it
 *
 * One reload at a time; SIGHUP in the middle of one is another behind it.
 */
#pragma once

#include <stdint.h>

struct connection;
struct context;
struct session;

/*
 * Begins. `connection` is ANSWERING and gets its answer when all is done; NULL: nobody waits. 0,
 * -EBUSY, or another negative errno.
 */
int reload_start(struct context *context, struct connection *connection);

/* The session's broker holds by its policy: it has said so, has just begun with it, or is gone. */
void reload_settle(struct session *session);

/* The daemon ends: nobody is told any more. */
void reload_finish(struct context *context);
