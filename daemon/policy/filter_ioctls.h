/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioctl(2) where files are mediated: what file systems do by commands of their own, of which none
 * has a name that the broker could look at. Copying ranges (FICLONE and its kin) goes on: it reads
 * and writes descriptors that are open for that.
 */
#pragma once

#include <stdbool.h>

struct plan;

/* Adds the clauses, those about metadata only if that is mediated. 0 or a negative errno. */
int plan_ioctls(struct plan *plan, bool metadata);
