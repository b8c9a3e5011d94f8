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
 * with its status, and what is kept ends with it.
 *
 * If the holder is the one that is killed, usherd starts another (holder_again.h), which is its
 * child instead of its parent: it learns of usherd's end by a pidfd, and that it is a planned one
 * by the word STOPPING=1. The usherd that it starts then is its child, as with the first.
 */
#pragma once

#include <stddef.h>

/* The name of its socket among the descriptors of the child. */
#define HOLDER_NAME "holder"

struct inheritance;

/*
 * Runs the program that we are, with the same arguments and what we have inherited, until it ends.
 * Returns the exit status.
 */
int holder_run(char **argv, struct inheritance *inheritance);

/* What makes another holder of the same program, and the descriptors that it is given with it. */
#define HOLDER_OPTION "--hold"
enum holder_fd {
	HOLDER_FD_ITS = 3, /* its end of the socket */
	HOLDER_FD_OURS,    /* a copy of usherd's end, for those who come after it */
	HOLDER_FD_USHERD   /* the pidfd of usherd */
};

/* Becomes the holder of the usherd that has started us; `argv` is usherd's. As above. */
int holder_resume(char **argv);

/* Where our program is; after an upgrade, what is at its place now. 0 or a negative errno. */
int holder_find_program(char *path, size_t size);
