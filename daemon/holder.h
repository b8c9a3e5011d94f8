/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The holder: what systemd is to a usherd that it starts, for one that is started by hand. It is
 * the process that was started, and does nothing but run the real usherd as its child, keep the
 * descriptors that it is told to keep, and give them to the next one when the child has been
 * killed. It speaks the part of sd_notify(3) that this takes, over a socket of its own:
 *
 *   FDSTORE=1, FDNAME=...        keep these
 *   FDSTOREREMOVE=1, FDNAME=...  drop those
 *   BARRIER=1                    close what comes with this
 *
 * Signals that ask for something go on to the child. When the child ends by itself, the holder ends
 * with its status, and what is kept ends with it. If the holder is the one that is killed, usherd
 * goes on without it.
 */
#pragma once

/* The name of its socket among the descriptors of the child. */
#define HOLDER_NAME "holder"

struct inheritance;

/*
 * Runs the program that we are, with the same arguments and what we have inherited, until it ends.
 * Returns the exit status.
 */
int holder_run(char **argv, struct inheritance *inheritance);
