/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/idmap.h"

#include <errno.h>
#include <stdio.h>

#include "daemon/base/cleanup.h"

#define OVERFLOW_ID 65534u /* /proc/sys/kernel/overflowuid, unless somebody has changed it */
#define KEEP_ID     UINT32_MAX

int idmap_read(struct idmap *map, pid_t tid, const char *file)
{
	char path[64];

	map->count = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", tid, file);
	cleanup_file FILE *lines = fopen(path, "re");
	if (!lines) {
		return -errno;
	}
	while (map->count < IDMAP_EXTENTS &&
		fscanf(lines, "%u %u %u", &map->extents[map->count].inside,
			&map->extents[map->count].outside, &map->extents[map->count].length) == 3) {
		map->count++;
	}
	return 0;
}

uint32_t idmap_inward(const struct idmap *map, uint32_t outside)
{
	for (unsigned int i = 0; i < map->count; i++) {
		uint32_t offset = outside - map->extents[i].outside;
		if (outside >= map->extents[i].outside && offset < map->extents[i].length) {
			return map->extents[i].inside + offset;
		}
	}
	return OVERFLOW_ID;
}

bool idmap_outward(const struct idmap *map, uint32_t *id)
{
	if (*id == KEEP_ID) {
		return true;
	}
	for (unsigned int i = 0; i < map->count; i++) {
		uint32_t offset = *id - map->extents[i].inside;
		if (*id >= map->extents[i].inside && offset < map->extents[i].length) {
			*id = map->extents[i].outside + offset;
			return true;
		}
	}
	return false;
}
