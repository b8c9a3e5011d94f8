/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a hand-over failed: the sentence that `usher run` prints, with what to do about it. Each of
 * these returns `error`, a negative errno.
 */
#pragma once

struct handover_failure {
	char text[1200]; /* for people */
};

__attribute__((format(printf, 3, 4))) int handover_fail(
	struct handover_failure *failure, int error, const char *format, ...);

/*
 * Of sending to the supervisor. The kernel counts what a user has sent, and nobody has received
 * yet, against the limit of who sends more of it.
 */
int handover_explain_sending(struct handover_failure *failure, int error);

/* Of seccomp(SECCOMP_SET_MODE_FILTER). */
int handover_explain_filter(struct handover_failure *failure, int error);

/* Of making the layer of Landlock, and of laying it on. */
int handover_explain_landlock(struct handover_failure *failure, int error);
