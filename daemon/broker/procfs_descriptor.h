/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a link in /proc/PID/fd leads to is judged by its name. What has none (a pipe, a memory file,
 * one that was deleted) is for who holds it; so somebody of the session must hold it by more than
 * O_PATH. For a descriptor of that kind nobody was asked, and the kernel makes it of what a process
 * outside holds, too, by that one's entries in /proc.
 */
#pragma once

#include <stdbool.h>

struct broker;
struct request;

/* Is `path` the link of a descriptor, and what it led to, `object`, without a name? */
bool procfs_descriptor_is_nameless(const struct broker *broker, const char *path, int object);

/*
 * Then: the very descriptor of the process of the session whose link that is, the caller's to
 * close. -EACCES if it is one of O_PATH or of something else, or whose it is cannot be told. `root`
 * is that of the procfs.
 */
int procfs_descriptor_take(const struct broker *broker, struct request *request, int root,
	const char *path, int object);
