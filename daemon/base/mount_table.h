/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts that a process sees, from its /proc/PID/mountinfo (proc(5)): which file system is
 * mounted with which of its directories where. A mount's number (stx_mnt_id) is given to another
 * one only after its end, so what a descriptor is held on keeps its number.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mount {
	uint64_t id;
	dev_t device;
	const char *root;    /* the directory or file of the file system that is mounted ... */
	const char *point;   /* ... and where, from the process's root */
	const char *type;    /* of the file system, by its name */
	unsigned int peers;  /* its peer group (mount_namespaces(7)), or 0 */
	unsigned int master; /* the peer group that it receives from, or 0 */
};

struct mount_table {
	char *text; /* what the mounts' names lie in */
	struct mount *mounts;
	size_t count;
};

/* Reads all of `fd`, an open mountinfo file, from its beginning. 0 or a negative errno. */
int mount_table_read(struct mount_table *table, int fd);

/* The same of a thread. */
int mount_table_read_of(struct mount_table *table, pid_t tid);

/* The same of a process, by a descriptor of its directory in /proc. */
int mount_table_read_of_process(struct mount_table *table, int process);

void mount_table_finish(struct mount_table *table);

/* NULL if it is not there. */
const struct mount *mount_table_find(const struct mount_table *table, uint64_t id);

/* Does what happens to a mount of `table` happen to one of `other`, too? */
bool mount_table_propagates_to(const struct mount_table *table, const struct mount_table *other);
