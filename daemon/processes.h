/* SPDX-License-Identifier: Apache-2.0 */
/* A process and all that descends from it, as /proc shows them at the moment. */
#pragma once

#include <sys/types.h>

/* More are not looked for in one go: who asks, asks again. */
#define PROCESSES_MAX 4096u

/*
 * Sends `signal` to `root`, which the caller knows to be the one that is meant, and to its
 * descendants, parents first. Returns how many had it, or -ENOMEM.
 */
int processes_signal_tree(pid_t root, int signal);
