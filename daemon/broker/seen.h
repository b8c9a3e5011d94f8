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

struct place;
struct seen;

/* NULL where there is no memory for it, or a look is always needed: all that follows takes that. */
struct seen *seen_new(void);

/* May the provisional name of `place` be opened without a look? */
bool seen_has(struct seen *seen, const struct place *place);

/* It was looked at, and is opened by a name that seen_has() may be asked about next time. */
void seen_note(struct seen *seen, const struct place *place);

/* The open has proved the hint wrong: from now on the name is looked at. */
void seen_refute(struct seen *seen, const struct place *place);

/*
 * Is RESOLVE_NO_XDEV worth trying of the provisional name? Where it succeeds the name lies in the
 * mount of our root, which is no procfs; where it fails, the hint is refuted.
 */
bool seen_may_prove(struct seen *seen, const struct place *place);

/* A link was met on the way. Such a name need not be tried without one: every way is right. */
void seen_note_link(struct seen *seen, const struct place *place);
bool seen_leads_on(struct seen *seen, const struct place *place);
