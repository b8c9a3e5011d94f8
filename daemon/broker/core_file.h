/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A core file is made by the kernel, in the directory in which a program dies or where
 * /proc/sys/kernel/core_pattern says, and nobody is asked (core(5)). So where rules are about
 * creating or removing, the session begins with a limit of nothing for them, which all its
 * processes inherit and none can raise; the filter sees to those who could (filter_mediation.c).
 * Dumps that the kernel gives to a program or a socket are no files, and are left as they are.
 */
#pragma once

#include <sys/types.h>

struct policy;

/* Of a session that has one process yet. 0 or a negative errno. */
int core_file_forbid(const struct policy *policy, pid_t process);
