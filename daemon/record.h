/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session in words, for the daemon that comes after us: what struct session knows beside the
 * descriptors, as one JSON object. A later build may add keys and a former one does not mind; what
 * cannot be told so gets another RECORD_VERSION, and such a session is left to its broker.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define RECORD_VERSION 1 /* layout 8cdb417e */

struct session;

/* Which descriptors a session has, in the order in which they stand beside its record. */
size_t record_descriptors(const struct session *session, int *fds);

/* Allocated, or NULL without memory. */
char *record_write(const struct session *session);

/*
 * Fills a new session, of which all else is zero, and takes over the descriptors. 0 or a negative
 * errno: -EBADMSG (no record), -EPROTONOSUPPORT (of another version). On an error the caller
 * finishes what was filled, and the descriptors that were not taken are its own.
 */
int record_read(struct session *session, const char *text, int *fds, size_t fd_count);

/*
 * A broker in words: whose number that is, see session_keep.h. -EPROTONOSUPPORT also if it speaks
 * another version of wire.h.
 */
char *record_write_broker(pid_t pid);
int record_read_broker(const char *text, pid_t *pid);
