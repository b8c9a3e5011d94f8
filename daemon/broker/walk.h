/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The long way: a name is walked as the kernel would walk it for the target, component by component
 * on O_PATH descriptors, with links read and put in place by us. So /proc/self is the target's,
 * ".." ends at the target's root, and what comes out is a pinned directory and a last component
 * that is no link (or an object, where a magic link of /proc was last).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct broker;
struct place;
struct request;

struct walk_options {
	struct place *place;    /* to be filled */
	bool creates;           /* the name may be that of something new */
	bool never_follow_last; /* not even with a slash behind it */
	bool follow_last;       /* a link in the last component is followed */
	uint64_t resolve;       /* RESOLVE_ of openat2(2) */
};

/* Fills options->place; returns as resolve() does. */
int walk(const struct broker *broker, struct request *request, const char *path,
	const struct walk_options *options);
