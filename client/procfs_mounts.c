/* SPDX-License-Identifier: Apache-2.0 */
#include "client/procfs_mounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/mount_table.h"
#include "daemon/base/path_text.h"

int procfs_mounts_find(struct procfs_mounts *mounts, const struct mount_table *table)
{
	*mounts = (struct procfs_mounts){calloc(table->count + 1, sizeof(*mounts->points)), 0};
	if (!mounts->points) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < table->count; i++) {
		/* The table says so: one that is asked itself may never answer. */
		if (strcmp(table->mounts[i].type, "proc") == 0) {
			mounts->points[mounts->count++] = table->mounts[i].point;
		}
	}
	return 0;
}

void procfs_mounts_finish(struct procfs_mounts *mounts)
{
	free(mounts->points);
	*mounts = (struct procfs_mounts){NULL, 0};
}

const char *procfs_mounts_near(const struct procfs_mounts *mounts, const char *path)
{
	for (size_t i = 0; i < mounts->count; i++) {
		if (name_rest(mounts->points[i], path) || name_rest(path, mounts->points[i])) {
			return mounts->points[i];
		}
	}
	return NULL;
}
