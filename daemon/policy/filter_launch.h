/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between a loaded filter and the program: the launcher itself has to get through it.
 *
 * Between loading the filter and becoming the program its thread makes the probe call (which every
 * filter notifies, whatever [syscalls] says), waits for another thread that is not filtered, and
 * calls execve. These few are a policy's to allow if it means to start anything.
 */
#pragma once

struct filter;

/* The name of the first call that the launcher needs and the filter does not let through, or NULL.
 */
const char *filter_launch_obstacle(const struct filter *filter);
