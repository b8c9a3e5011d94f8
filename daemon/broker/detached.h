/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts that are taken off their tree while something in them is still held (umount2(2) with
 * MNT_DETACH): container runtimes start themselves again from such a one, and then open
 * /proc/self/exe. No table of mounts has them any more, so what a table said is remembered.
 *
 * What is found here is a hint and no more: the number may be another mount's by now, also one of
 * somebody else's. Who uses it must prove by the object itself that the hint is right.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct detached;

/* NULL where there is no memory for it: then nothing is remembered. */
struct detached *detached_new(void);

/* A mount that the thread `tid` sees is about to be taken off. `detached` may be NULL. */
void detached_note(struct detached *detached, pid_t tid);

/*
 * Which directory of its file system the mount `id` shows: 1, 0 if nothing is remembered of it (or
 * `detached` is NULL), or a negative errno where `root` has no room for it.
 */
int detached_find(
	struct detached *detached, uint64_t id, dev_t device, char *root, size_t capacity);
