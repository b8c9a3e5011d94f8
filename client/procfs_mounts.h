/* SPDX-License-Identifier: Apache-2.0 */
/* Where a procfs is mounted: what lies there depends on who asks, and rules speak of names. */
#pragma once

#include <stddef.h>

struct mount_table;

struct procfs_mounts {
	const char **points; /* the table's */
	size_t count;
};

/* Of a table that outlives it. 0 or -ENOMEM. */
int procfs_mounts_find(struct procfs_mounts *mounts, const struct mount_table *table);
void procfs_mounts_finish(struct procfs_mounts *mounts);

/* One in which the path lies, or that lies at or below it; or NULL. */
const char *procfs_mounts_near(const struct procfs_mounts *mounts, const char *path);
