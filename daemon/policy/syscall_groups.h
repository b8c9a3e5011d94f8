/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of system calls, with the names and the meaning that systemd.exec(5) gives them.
 */
#pragma once

#include <stddef.h>

struct nearest;

/*
 * The numbers of a group's calls (`name` begins with @), each once, in rising order; of calls that
 * this machine has. The array is the caller's to free. 0, -ENOENT (no such group) or -ENOMEM.
 */
int syscall_group_numbers(const char *name, int **numbersp, size_t *countp);

/* Calls `visit` with every name of the table that the group consists of, those of groups in it too.
 */
typedef void syscall_group_visitor(const char *name, void *context);
int syscall_group_visit(const char *name, syscall_group_visitor *visit, void *context);

/* The group at `index` of the table; NULL past the last. */
const char *syscall_group_name(size_t index);

/* Offers to a hint the names of the groups, or of the calls of this machine that are in one. */
void syscall_groups_offer(struct nearest *nearest);
void syscall_groups_offer_calls(struct nearest *nearest);
