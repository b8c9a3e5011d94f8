/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptors that we were started with: sockets that a manager opened for us and what an
 * earlier usherd has left with it, each with a name. They come as sd_listen_fds(3) tells
 * (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES), from systemd and from our own holder alike, so they are
 * read here, also where there is no libsystemd.
 *
 * Of what has one name the newest comes first. What nobody claims is closed in the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct inherited {
	int fd; /* -1: claimed */
	const char *name;
};

struct inheritance {
	struct inherited *all;
	size_t count;
	char *names; /* storage of the names */
};

/*
 * Takes what is ours, none of it surviving an exec, and removes the variables from the environment.
 * 0 (also if there is nothing) or a negative errno.
 */
int inheritance_take(struct inheritance *inheritance);
void inheritance_finish(struct inheritance *inheritance);

/* The first that has this name: the descriptor, now the caller's, or -1. */
int inheritance_claim(struct inheritance *inheritance, const char *name);
