/* SPDX-License-Identifier: Apache-2.0 */
/* usher run: what its two ways have in common. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "client/handover.h"
#include "client/sets.h"
#include "usher/wire.h"

struct run_options {
	const char *policy; /* a name, or a file if it has a slash */
	struct sets sets;
	const char *log; /* a file, or "-" */
	bool verbose;
	enum wire_network network;
	enum run_mode { RUN_ANYHOW, RUN_DAEMON, RUN_EMBEDDED } mode;
	char **command; /* NULL-terminated */
};

/* Becomes the program; returns only the exit status of a failure, told on stderr. */
int run_program(char **command);

/*
 * Without a daemon: serves the hand-over itself, starts the broker with the program as its child,
 * and stays as the program's front until it ends. Returns its exit status, or dies of its signal.
 */
int embedded_run(const struct run_options *options, const struct handover_hello *hello);
