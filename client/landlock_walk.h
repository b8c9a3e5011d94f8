/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files and directories are to be granted, so that together they are what the rules allow.
 *
 * Landlock only knows to allow, and what it allows of a directory holds for all below it. A denial
 * inside an allowed directory is therefore made by granting the directory's other entries, one by
 * one, down to what is denied; what is created later in a directory that had to be taken apart
 * so is not granted, nor is listing it. Names are taken as they are: a symbolic link is nothing
 * that is opened or executed, and rules are about resolved paths.
 */
#pragma once

#include "client/landlock_rules.h"

/* `fd` is O_PATH, of the file `path` or of a directory with all below it. 0 or what ends the walk.
 */
typedef int landlock_grant(int fd, const char *path, bool is_directory, void *user);

enum landlock_walk_for {
	LANDLOCK_WALK_EXECUTING, /* regular files, and directories for the sake of these */
	LANDLOCK_WALK_READING,   /* files of all kinds, and the listing of directories */
};

/*
 * `rules` are of the kinds WIRE_READING_* of usher/wire.h. 0, a negative errno, or what `grant` has
 * returned. What cannot be opened is passed over.
 */
int landlock_walk(const struct landlock_rule_list *rules, enum landlock_walk_for purpose,
	landlock_grant *grant, void *user);
