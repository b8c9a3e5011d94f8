/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded session: what embedded.c sets up and front.c looks after. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "usher/wire.h"

struct embedded {
	uint64_t session;
	pid_t broker;
	pid_t program;
	int control;  /* to the broker */
	int listener; /* kept for a successor, with the next two */
	int memory;
	int snapshot;
	int given[WIRE_GIVEN_MAX]; /* sockets that the policy names, in its order; likewise */
	size_t given_count;
	int log_fd, verbose_fd; /* likewise; -1 or the caller's */
	bool program_is_ours;   /* its broker, once its parent, has died: we are */
};

/*
 * Starts another usher-broker on one end of a new control socket; the other is session->control. 0
 * or a negative errno.
 */
int embedded_start_successor(struct embedded *session);

/*
 * Stands for the program until it ends: signals and stops of the one are those of the other. A
 * broker that dies is replaced. Returns the program's exit status, or dies of its signal.
 */
int front_run(struct embedded *session);

/*
 * Of the front alone, once the program is there: the limit of file sizes counts for memory files,
 * too, and a low one is the program's and not the session's. What stays too low is an error, and no
 * signal that ends us.
 */
void front_lift_file_limit(void);
