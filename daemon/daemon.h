/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon as a whole: puts its parts together, runs the loop, and answers the signals that
 * reload and end it.
 */
#pragma once

#include <stdbool.h>

struct daemon_options {
	const char *config; /* NULL: the usual place */
	const char *socket; /* NULL: as the configuration says */
	char **argv;        /* as we were started */
	bool has_holder;    /* unless systemd is there */
	int holder;         /* its socket, consumed; -1: it is not there */
};

struct inheritance;

/* Both return an exit status, and say on standard error what is wrong. */
int daemon_check(const struct daemon_options *options);
int daemon_run(const struct daemon_options *options, struct inheritance *inheritance);
