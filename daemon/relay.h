/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries lines from a broker into the daemon's log, through a pipe, so that a broker never holds
 * a descriptor of the log itself. A broker runs with the rights of its client and is not trusted:
 * lines are cut at RELAY_LINE_MAX, and of more than its rate allows only the number is told. The
 * writer's end does not block: a daemon that is late costs audit lines, never time.
 *
 * A relay owns itself and ends when the last writer has closed, or with relay_end_all.
 */
#pragma once

#include <uv.h>

#define RELAY_LINE_MAX (16u * 1024u)

enum relay_kind {
	RELAY_WORDS, /* standard error: 20 lines a second, as warnings */
	RELAY_AUDIT, /* audit records: 500 lines a second */
};

/*
 * Starts one; *writer is the end for the broker and the caller's, and so is *reader, a copy of ours
 * for whoever comes after us. `label` stands before each line and is copied, and so
 * is `policy`, whose decisions the records of RELAY_AUDIT are (else NULL). 0 or a negative errno.
 */
int relay_start(int *writer, int *reader, uv_loop_t *loop, const char *label, const char *policy,
	enum relay_kind kind);

/* Goes on with one of which an earlier daemon has left the reader's end; `reader` stays the
 * caller's. */
int relay_resume(
	int reader, uv_loop_t *loop, const char *label, const char *policy, enum relay_kind kind);

/* Ends all relays, with the daemon; what is still in their pipes is lost. */
void relay_end_all(void);
