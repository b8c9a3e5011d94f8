/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of a target in a user namespace of its own (user_namespaces(7)): what the kernel tells us is
 * told in our ids, what it is told by the target is meant in the target's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IDMAP_EXTENTS 340 /* UID_GID_MAP_MAX_EXTENTS of the kernel */

struct idmap {
	unsigned int count;
	struct {
		uint32_t inside, outside, length;
	} extents[IDMAP_EXTENTS];
};

/* Reads /proc/TID/`file`, "uid_map" or "gid_map". 0 or a negative errno. */
int idmap_read(struct idmap *map, pid_t tid, const char *file);

/* Ours as the target sees it; the overflow id where it has none. */
uint32_t idmap_inward(const struct idmap *map, uint32_t outside);

/* The target's as we see it. False if there is none. -1, "leave it", is itself. */
bool idmap_outward(const struct idmap *map, uint32_t *id);
