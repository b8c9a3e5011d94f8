/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File systems that refuse: one is read-only, one has neither room nor names left, one (`hanging`,
 * FUSE without a server) never answers. They are made
 * before the program is started that is looked at, in a mount namespace of its own, as mounts are
 * refused in a session; only root can.
 */
#pragma once

/* Makes them below `directory`, which exists. Returns 0 or a negative errno. */
int mounts_make(const char *directory);

/* Takes what has become free in the full one. Returns 0 or a negative errno. */
int mounts_fill(void);

/* Where they are, by the environment; NULL if there are none. */
const char *mounts_directory(void);
