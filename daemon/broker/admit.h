/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that give files other names, or take a thread where they have others: mount(2) and its kin,
 * pivot_root(2), and setns(2) into a mount namespace; and setns(2) to other processes. A policy
 * speaks of names in the session's first mount namespace. So there nothing may be changed; in a
 * namespace of its own a thread may do what the kernel lets it, since what it opens there is told
 * back (mounts.h). That holds whatever the calls' arguments in memory say, so they may be
 * continued.
 *
 * No process of the session ever comes to a mount namespace that the session has not made, but for
 * the first one: its mounts would be changed, and its memory be taken for the session's own. Nor to
 * a namespace of processes that is not the session's: whoever is in one below the first is taken
 * for one of the session by who is there, too (procfs_number.h).
 */
#pragma once

#include <stdbool.h>

struct broker;
struct request;

/* May the calling thread change the mounts of its namespace in this way? */
bool admit_mount(const struct broker *broker, const struct request *request);

/* May it go to the namespace that setns(2) names? 0, or the negative errno to refuse it with. */
int admit_namespace(const struct broker *broker, const struct request *request);

/* Does setns(2) with these flags lead to another namespace of mounts or processes, or may it? */
bool admit_is_asked(unsigned int flags);
