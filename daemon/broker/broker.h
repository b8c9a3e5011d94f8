/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all threads of a broker share: one session, one listener, one policy. Everything but the
 * atomics is set before the first worker starts and never changes; another policy comes with a copy
 * of all of it, which takes its place (follow.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/broker/identity.h"
#include "daemon/policy/policy.h"
#include "usher/session.h"

struct audit;
struct detached;
struct dns;
struct epoll_memory;
struct members;
struct mounts;
struct outside;
struct seen;
struct workers;

struct broker {
	uint64_t session;
	int listener;
	struct session_memory *memory;
	int memory_fd; /* stays open: our lock hangs on it (session_memory_lock) */
	struct policy *policy;
	struct audit *audit;
	struct workers *workers;
	struct dns *dns;           /* NULL: the policy names no hosts */
	struct identity identity;  /* our own */
	pid_t first;               /* the session's first process, whose descendants belong to it */
	struct members *members;   /* and those that were heard of */
	unsigned int pid_levels;   /* pid namespaces that it has a number in, from ours on */
	int root;                  /* the session's root, O_PATH; names are told from here */
	char *root_name;           /* "" where it is our own root */
	bool is_elsewhere;         /* the session began with another root, or in other mounts */
	bool protects_symlinks;    /* fs.protected_symlinks */
	struct outside *outside;   /* NULL: the session lives in our network, or wants none of it */
	struct mounts *mounts;     /* of the session's first mount namespace */
	struct detached *detached; /* and what was taken off in others; NULL: is not remembered */
	struct epoll_memory *epolls;
	struct seen *seen;         /* names that need no look; NULL: all do */
	int given[WIRE_GIVEN_MAX]; /* sockets that the policy names, in its order */
	size_t given_count;
	int proc_fds; /* /proc/self/fd, O_PATH: how a pinned object is opened again */
};

static inline bool broker_knows(const struct broker *broker, enum session_facts fact)
{
	return atomic_load_explicit(&broker->memory->facts, memory_order_acquire) & fact;
}
