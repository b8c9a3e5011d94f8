/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world to resolve names in, and three answers to the same question in it: the fast way (with the
 * long one where it says so), the long way, and the kernel's own for the target. They agree on the
 * object, the errno and, where there is one, the name.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker_target.h"
#include "daemon/broker/resolve.h"

struct world {
	struct stage stage;
	char home[64]; /* a directory of its own, removed at the end */
	char tree[64]; /* where the target is: there, or below */
	bool chrooted; /* ... which is its root, too */
};

struct answer {
	int error; /* positive errno, or 0 */
	uint64_t device, inode;
	char path[NAME_ROOM];
};

/*
 * A new directory, in which we are, and a target; `make` (which may be NULL) fills it first. There
 * is one world at a time.
 */
struct world *world_build(bool chrooted, void (*make)(const char *tree));

/* Another target takes the place of the first. It is in `tree`. */
void world_move(struct world *world, const char *tree);

/* For cmocka. Nothing is done where there is no world. */
int world_tear_down(void **state);

/* The request's place begins where the target is. What is opened for it is the caller's. */
void world_pin(struct world *world, const char *path, const struct open_how *how);

/* What usher makes of `path`, beginning in this way. */
void world_ask(struct world *world, const char *path, const struct open_how *how,
	enum resolve_way way, struct answer *answer);

/* Fails unless the three answers agree, with each way to open that there is. */
void world_compare(struct world *world, const char *path);

/* Fails if a step of the preparation did: its result is negative. */
void must(int result);
