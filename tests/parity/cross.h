/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that take one name, crossed with every kind of name: a case is a call and a group of
 * arguments, and tells the outcome of each.
 */
#pragma once

#include "tests/parity/parity.h"
#include "tests/parity/stage.h"

/*
 * What a call could do where it succeeds by mistake, as the cases may run as root: names outside of
 * the tree are given only to calls that can do no harm there.
 */
enum path_effect {
	EFFECT_NONE = 1,
	EFFECT_ENTRY = 2,  /* on a name in a directory */
	EFFECT_OBJECT = 4, /* on what the name leads to */
	EFFECT_TEXT = 8,   /* the name is text, which is to be the same in each run */
};

struct path_call {
	const char *name;
	/* Makes the call; tells what it says beside its result. Without dirfd it is AT_FDCWD. */
	long (*make)(struct scene *scene, int dirfd, const char *path);
	enum path_effect effect;
	bool has_dirfd;
	void (*set_up)(void); /* in every new tree */
};

struct path_argument {
	const char *name;
	/* Tells the call's arguments. */
	const char *(*make)(struct scene *scene, const char *path, int *dirfdp);
	void (*undo)(struct scene *scene); /* what `make` did beside, after the call */
	const char *path;                  /* what `make` starts from; alone if there is none */
	unsigned int harmless; /* enum path_effect: calls that may be given it; 0: all */
	bool spoils;           /* making it changes the tree */
	bool needs_dirfd;
	bool as_other; /* by another user, where the caller is root */
};

struct path_group {
	const char *name;
	const struct path_argument *arguments;
	size_t count;
};

/* arguments.c, descriptors.c, circumstances.c; each ends with a NULL name. */
extern const struct path_group groups_of_names[];
extern const struct path_group groups_of_descriptors[];
extern const struct path_group groups_of_circumstances[];
extern const struct path_group groups_of_mounts[]; /* where there are such (mounts.h) */

void cross_path_calls(struct runner *runner, const struct path_call *calls, size_t count);

/* The modules of calls that take a path, and what runs them all. */
void cases_unlink(struct runner *runner);
void cases_make(struct runner *runner);
void cases_rename(struct runner *runner);
void cases_link(struct runner *runner);
void cases_truncate(struct runner *runner);
void cases_chmod(struct runner *runner);
void cases_chown(struct runner *runner);
void cases_times(struct runner *runner);
void cases_xattr(struct runner *runner);
void cases_stat(struct runner *runner);
void cases_access(struct runner *runner);
void cases_readlink(struct runner *runner);
void cases_watch(struct runner *runner);
void cases_handle(struct runner *runner);
void cases_chdir(struct runner *runner);
