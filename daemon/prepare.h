/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session needs of its policy: the filter that the client loads and the snapshot that its
 * brokers read. Making it reads files, asks the user database and compiles, all of which may take
 * its time, so it is done by libuv's worker threads; the loop gets the result. The worker sees
 * nothing but its own copy of what is needed.
 */
#pragma once

#include <uv.h>

#include "daemon/policy/enforcement.h"
#include "daemon/policy/policy.h"
#include "usher/wire.h"

struct config;
struct peer;
struct wire_hello_strings;

struct preparation {
	/* The result; on an error nothing but the text and the report. */
	int error;    /* 0 or a negative errno */
	char *text;   /* why, for people; NULL without memory */
	char *report; /* the policy's mistakes, line by line, for the log; or NULL */
	struct enforcement enforcement;
	int snapshot; /* a descriptor */
	char *user;   /* the client's name; NULL if it has none */

	/* The question. */
	struct config *config;
	uid_t uid;
	bool targets_are_root;
	bool offers_landlock;    /* the client can have it decide on files */
	enum wire_network asked; /* for the network, by the client */
	char *policy, *directory;
	char **sets;
	size_t set_count;

	uv_work_t work;
	void (*done)(struct preparation *preparation, void *owner);
	void *owner; /* NULL: forgotten */
};

/*
 * Begins; *preparationp is valid until `done` is called, once, on the loop, which frees it. 0 or
 * a negative errno, after which `done` is not called.
 */
int prepare_start(struct preparation **preparationp, uv_loop_t *loop, struct config *config,
	const struct peer *peer, const struct wire_hello_strings *hello,
	void (*done)(struct preparation *preparation, void *owner), void *owner);

/* The owner has gone: the result will be dropped, `done` is not called. */
void prepare_forget(struct preparation *preparation);

void preparation_free(struct preparation *preparation); /* NULL is nothing */
