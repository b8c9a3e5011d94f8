/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The namespaces of mounts and of processes that the session has: the first one, in which it starts
 * and which is the broker's own, and those that its processes have made. No process of the session
 * is ever in another (admit.h), so to find one of them there shows whose a namespace is.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct broker;

/* Which kind: its entry in a process's directory in /proc. */
#define NAMESPACE_MOUNTS    "ns/mnt"
#define NAMESPACE_PROCESSES "ns/pid"

/* Is the thread in the first mount namespace? Also if that cannot be told. */
bool namespaces_is_first(pid_t tid);

/* Which one of `kind` the thread is in. 0 or a negative errno. */
int namespaces_of(pid_t tid, const char *kind, struct stat *namespace);

/* The same of a process, by a descriptor of its directory in /proc. */
int namespaces_of_process(int process, const char *kind, struct stat *namespace);

bool namespaces_is_same(const struct stat *a, const struct stat *b);

/*
 * Is somebody else than who owns the first mount namespace the owner of the thread's? A copy for
 * another owner gets what happens in the namespace that it was copied from, and gives nothing back
 * (mount_namespaces(7)). False if that cannot be told.
 */
bool namespaces_is_of_other_owner(pid_t tid);

/* `process` is a directory of /proc: what is read in there is of this process or fails. */
typedef bool namespaces_match(void *state, int process);

/*
 * Is there a process of the session, in another namespace of `kind` than the first, for which
 * `match` says yes? Each of them is asked until one does.
 */
bool namespaces_find(
	const struct broker *broker, const char *kind, namespaces_match *match, void *state);
