/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What outlives us: descriptors that our manager (service.h) keeps under a name and gives to the
 * usherd that comes after us, in the environment of which it puts how many it keeps (FDSTORE). What
 * is beyond that number it drops without a word, so they are counted here.
 *
 * A descriptor is kept for certain when all that was said before has been heard: store_sync.
 * What an earlier usherd has left counts as ours (store_inherit).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct store {
	bool is_there;
	unsigned int room; /* how many descriptors it keeps, */
	unsigned int used; /* and how many it has */
};

struct store_sync;

/* It is another one, and has nothing yet. */
void store_renew(struct store *store);

/* Asks the environment; after service_init. */
void store_init(struct store *store);

/* A descriptor that came from the store is still in it. */
void store_inherit(struct store *store);

/*
 * Keeps a copy of `fd` under `name`, which nothing in it has. 0 or a negative errno: -ENOSPC if the
 * store is full. Where there is no store this does nothing, and so do the others.
 */
int store_put(struct store *store, const char *name, int fd);

/* Drops what has this name: one descriptor. */
void store_remove(struct store *store, const char *name);

/*
 * Calls `done` when all that was put is kept: later, on the loop. *syncp is valid until then. 1 if
 * it is so already, and `done` is not called; 0; or a negative errno.
 */
int store_sync(struct store *store, struct store_sync **syncp, uv_loop_t *loop,
	void (*done)(void *owner), void *owner);
void store_sync_forget(struct store_sync *sync); /* NULL is nothing */
