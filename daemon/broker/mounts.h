/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that mounts cannot forge. A policy speaks of names as they are in the session's first mount
 * namespace, which is the broker's own and which nobody in the session may change (admit.h). What a
 * thread sees in a namespace of its own is told back from there.
 *
 * An object is `own` if it lies in a mount of the first namespace: its name is what the kernel
 * says.
 *
 * It is `found` if the same object has a name in the first namespace: that is its name. Both have
 * been opened and are one inode, so whoever may have the one may have the other.
 *
 * It is `private` if it lies in a file system of memory, terminals or FUSE that was never mounted
 * in the first namespace: one of the session's own making, with nothing in it that the session has
 * not put there. Only a device node leads out of it, and is `found` as the same device in /dev.
 *
 * All else is `unknown`, and denied: what an overlay shows, a device that is mounted only there,
 * what other mounts hide in the first namespace, mounts that no process of the session sees (but
 * for those that were seen before they were taken off, detached.h, of which what is found counts).
 *
 * A procfs is told by procfs.h, wherever it is mounted. Nothing is asked, and this costs nothing,
 * as long as no thread of the session has got a mount namespace of its own (SESSION_MOUNTS_VARY).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct broker;
struct mounts;
struct request;

enum mounts_answer {
	MOUNTS_OWN,
	MOUNTS_FOUND,
	MOUNTS_PRIVATE,
	MOUNTS_UNKNOWN,
};

/* Where we stand when the session starts. 0 or a negative errno. */
int mounts_new(struct mounts **mountsp);
void mounts_free(struct mounts *mounts);

/* Does `fd` lie in a mount that the first namespace has not? Also if that cannot be told. */
bool mounts_is_foreign(const struct broker *broker, int fd);

/*
 * Does `fd`, which may come from outside of the session, lie in a mount of the first namespace?
 * False if that cannot be told.
 */
bool mounts_is_first(const struct broker *broker, int fd);

/*
 * The `nth` name that the first namespace may have for what lies at `inner` of that file system, in
 * which `object` lies, too: 1, or 0 if there are no more, or -ENODEV if the file system was never
 * mounted there.
 */
int mounts_candidate(const struct broker *broker, dev_t device, int object, const char *inner,
	size_t nth, char *name, size_t capacity);

/*
 * What `fd`, a foreign object, is called: `name` holds the kernel's word for it and gets its name
 * where it is found. An answer, or a negative errno.
 */
int mounts_name(const struct broker *broker, const struct request *request, int fd, char *name,
	size_t capacity);

/* The same for the entry `entry` of the foreign `directory`: `name` is the directory's. */
int mounts_name_entry(const struct broker *broker, const struct request *request, int directory,
	const char *entry, char *name, size_t capacity);

/* Which directory of its file system is mounted where `fd` lies. 0 or a negative errno. */
int mounts_root_of(const struct broker *broker, const struct request *request, int fd, char *root,
	size_t capacity);

/* Do mounts of the thread's namespace happen in the first one, too? Also if that cannot be told. */
bool mounts_reach_first(const struct broker *broker, const struct request *request);
