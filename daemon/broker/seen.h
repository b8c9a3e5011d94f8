/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that were looked at before (resolve_look()): of files that nobody waits for, or with a link
 * in them. It is a hint and no more: nothing is decided on it, and what it says of a name may be
 * wrong by now. Who opens a name without a look has the open itself prove what matters, which is
 * that no other object comes of it than the target would get:
 *
 *   no link        RESOLVE_NO_SYMLINKS: ELOOP, and the long way is taken
 *   no procfs      RESOLVE_NO_XDEV: it lies in the mount of our root, which is none
 *   no /dev/tty    a broker has no controlling terminal to give away, or has no hints
 *
 * What is left is a file that waits after all, a FIFO that has taken the place of a file. Then the
 * leader waits in its open, and the watchdog has another one lead, as with a disk that is slow.
 */
#pragma once

#include <stdbool.h>

/* What is known of a name. */
enum seen_word {
	SEEN_NOT,     /* nothing */
	SEEN_PLAIN,   /* a file that nobody waits for */
	SEEN_LINK,    /* it leads over a link */
	SEEN_REFUTED, /* an open has proved a hint wrong: it is always looked at */
};

struct place;
struct seen;

/* NULL where there is no memory for it, or a look is always needed: all that follows takes that. */
struct seen *seen_new(void);

/* Of the provisional name of `place`, in which it is kept for the questions that follow. */
enum seen_word seen_ask(struct seen *seen, const struct place *place);

/* It was looked at, and need not be next time: SEEN_PLAIN. */
void seen_note(struct seen *seen, const struct place *place);

/* The open has proved the hint wrong: from now on SEEN_REFUTED. */
void seen_refute(struct seen *seen, const struct place *place);

/*
 * Is RESOLVE_NO_XDEV worth trying of the provisional name? Where it succeeds the name lies in the
 * mount of our root, which is no procfs; where it fails, the hint is refuted.
 */
bool seen_may_prove(const struct seen *seen, const struct place *place);

/*
 * A link was met on the way: SEEN_LINK. Such a name need not be tried without one: every way is
 * right.
 */
void seen_note_link(struct seen *seen, const struct place *place);
