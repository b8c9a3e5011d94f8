/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files and directories of a FILTER's grants (include/usher/wire.h), and whether they suit:
 * Landlock has to mean by them what the rules do, which speak of names (daemon/policy/mechanism.h).
 * They do not suit if one
 *
 *   is not there yet: what comes later is nothing that Landlock was told of;
 *   is a directory where a file was meant, or the other way round;
 *   has another name too, by a hard link or a second mount: Landlock allows it by either;
 *   lies in a procfs, or has one in it: of its files the broker asks whose they are.
 *
 * What is reached by a symbolic link only is no resolved path: no call is ever about it, and it is
 * passed over. The rules about reading, which may come last, have their own reasons
 * (landlock_reading.h).
 */
#pragma once

#include <stdbool.h>

#include "daemon/base/string_pack.h"

#define LANDLOCK_REASON_MAX 300u
enum landlock_suits { LANDLOCK_SUITS = 0, LANDLOCK_UNSUITED = 1 };

/* `fd` is O_PATH, of a directory with all below it or of something else; `operations` as of
 * FILTER's `landlock`. An enum landlock_suits or a negative errno. */
typedef int landlock_allow(int fd, bool is_directory, unsigned int operations, void *user);

/*
 * Calls `allow` for each; NULL only looks. `*shows_processes` tells whether /proc is granted. An
 * enum landlock_suits, with the reason in `reason`; or a negative errno: that of `allow`, -EPROTO
 * for strings that are not right.
 */
int landlock_grants_visit(const struct string_pack *grants, landlock_allow *allow, void *user,
	bool *shows_processes, char reason[LANDLOCK_REASON_MAX]);
