/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files and directories are to be granted, so that together they are what the rules allow.
 *
 * Landlock only knows to allow, and what it allows of a directory holds for all below it. A denial
 * inside an allowed directory is therefore made by granting the directory's other entries, one by
 * one, down to what is denied; what is created later in a directory that had to be taken apart
 * so is not granted. Names are taken as they are: a symbolic link is nothing that is executed, and
 * rules are about resolved paths.
 */
#pragma once

#include "daemon/base/string_pack.h"

/* `fd` is O_PATH, of a file or of a directory with all below it. 0 or a negative errno. */
typedef int landlock_grant(int fd, void *user);

/*
 * `rules` are those of a FILTER (include/usher/wire.h). 0 or a negative errno: that of `grant`,
 * -EPROTO for rules that are not right. What cannot be opened is passed over.
 */
int landlock_walk(const struct string_pack *rules, landlock_grant *grant, void *user);
