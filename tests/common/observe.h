/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be seen of a system call's outcome, as text: the same words in `try` and in the parity
 * table. Nothing that differs from run to run (inode, device, times) is told.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

/* Text of bounded size; what does not fit is cut off. */
struct observation {
	char *text;
	size_t size, used;
};

__attribute__((format(printf, 2, 3))) void observe(
	struct observation *observation, const char *format, ...);

/* "= 3" or "= ENOENT". */
void observe_result(struct observation *observation, long result);
/* " regular 0644 nlink=1 size=6 uid=0 gid=0" */
void observe_stat(struct observation *observation, const struct stat *st);
/* The result and, of a descriptor: fstat, F_GETFL, F_GETFD. */
void observe_fd(struct observation *observation, long result);
/* What is at `path` now, not following a link; of a regular file also what is in it. */
void observe_path(struct observation *observation, const char *path);

const char *observe_errno(int error);
const char *observe_type(mode_t mode);
