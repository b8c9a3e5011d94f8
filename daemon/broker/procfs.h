/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc means depends on who looks: its links "self" and "thread-self" are the target's here,
 * its magic links are followed for the target, and what a process may learn of another one is
 * bounded by the session: of processes outside (the broker among them) it sees what every user
 * sees, and gets no hold (environ, mem, maps, fd ...). Their root and working directory lead to
 * what has a name in the session's first mount namespace, which is asked about, and nowhere else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct broker;
struct request;

enum procfs_link {
	PROCFS_NO_LINK, /* an ordinary link, also within /proc */
	PROCFS_TEXT,    /* self, thread-self: `text` is what the target would read */
	PROCFS_MAGIC,   /* leads to an object */
};

/* What the link `fd`, called `name` in `directory`, is. */
enum procfs_link procfs_link_kind(const struct broker *broker, struct request *request, int fd,
	int directory, const char *name, char *text, size_t capacity);

/* Follows a magic link for the target. An O_PATH descriptor, or a negative errno. */
int procfs_follow(
	const struct broker *broker, struct request *request, int directory, const char *name);

bool procfs_is(int fd);

/* Is it a directory of the caller's own that lets in who it is of, whatever its mode? */
bool procfs_is_own_table(const char *path);

/*
 * Opens an entry of the caller's own directory there, which was refused to the caller's ids: a
 * process that has changed them is not dumpable, and only itself may look then (proc(5)). -EACCES
 * if it is not the caller's own, or the file's mode forbids it.
 */
int procfs_open_own(const struct broker *broker, struct request *request, int directory,
	const char *name, int flags);

/*
 * If `path` lies in a procfs: refuses what gives a hold on processes outside the session (-EACCES),
 * and writes the caller's own directory as "self", which is how policies name it. `directory` is a
 * descriptor of the directory that the last component is in.
 */
int procfs_judge(const struct broker *broker, struct request *request, int directory, char *path);

/*
 * As procfs_judge() for an object that a magic link led to. Opening a name with O_PATH is not asked
 * for, so to hold such a descriptor says nothing about what may be done with it.
 */
int procfs_judge_object(
	const struct broker *broker, struct request *request, int object, char *path);
