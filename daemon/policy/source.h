/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the texts of a policy come from: files, the first and those it includes; or a snapshot,
 * which has them in the order in which they were read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/policy/mistake.h"

#define SOURCE_FILE_MAX  (16u << 20) /* bytes of one file */
#define SOURCE_TOTAL_MAX (32u << 20) /* bytes of all */
#define SOURCE_FILES_MAX 256u
#define SOURCE_DEPTH_MAX 16u

/* A file that is being read, and those that include it. */
struct source_file {
	const struct source_file *parent; /* NULL: the first */
	const char *name;
	dev_t device;
	ino_t inode;
	unsigned int depth;
};

struct policy_texts;

struct source {
	const char *const *directories;   /* files: where includes are looked for; or NULL */
	bool regular;                     /* files: refuse what is no regular file */
	bool trusted;                     /* files: refuse what others can write */
	const struct policy_texts *texts; /* files: those that are kept, looked at first; or NULL */
	size_t total, count;              /* what was read */
	/* A snapshot: the next name and text, 0 or -EBADMSG; NULL for files. */
	int (*replay)(void *user, char **namep, char **textp, size_t *sizep);
	void *user;
};

/*
 * Reads the file that `name` stands for in `parent` (NULL: the first). `file` is filled but for its
 * name; the name that it is known by, and its text, are allocated. 0, -ENOMEM, -EBADMSG
 * (snapshot), or another negative errno with `mistake` filled.
 */
int source_read(struct source *source, const struct source_file *parent, const char *name,
	struct source_file *file, char **namep, char **textp, size_t *sizep,
	struct mistake *mistake);
