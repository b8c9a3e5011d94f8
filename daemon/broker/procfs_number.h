/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a number in a procfs means. Each procfs belongs to a pid namespace and has the numbers of
 * that one (pid_namespaces(7)); ours are those that notifications have. A thread has a number in
 * each namespace from the first to its own; in which of them a procfs is at home is told by the
 * number under which it has the thread: nobody else has both the same number and the same
 * namespace.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct broker;
struct request;

struct procfs_caller {
	pid_t tgid, tid;    /* as the procfs has them; 0 if the caller is not seen there */
	bool is_ours;       /* its numbers are the broker's */
	bool is_of_session; /* all that it has are of the session, which has made the namespace */
};

/* The calling thread as it is seen by the procfs whose root directory is `root`. */
struct procfs_caller procfs_find_caller(
	const struct broker *broker, struct request *request, int root);

/* In how many pid namespaces, from ours on, has a thread a number? 0 if that cannot be told. */
unsigned int procfs_levels(pid_t tid);
