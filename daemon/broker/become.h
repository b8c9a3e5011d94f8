/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Becoming the client. A daemon that serves others starts its broker with its own rights and
 * `--become UID:GID:GROUPS:CAPABILITIES`; the broker's first act is to take the client's identity
 * for good. It is done here and not by uv_spawn because libuv empties the supplementary groups
 * and keeps all capabilities of a root client, also those that the client does not have.
 *
 * GROUPS are numbers between commas, possibly none; CAPABILITIES is the hexadecimal mask of
 * CapPrm in /proc/PID/status. Example: 1000:1000:27,100,1000:0
 *
 * A process that changes its uid is no longer dumpable: others of the same uid cannot trace it,
 * which is wanted here, and its /proc files belong to root.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct become {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* allocated */
	size_t group_count;
	uint64_t capabilities;
};

/* 0 or a negative errno: -EINVAL, -ENOMEM. */
int become_parse(struct become *become, const char *spec);
void become_finish(struct become *become);

/*
 * Takes the identity that `spec` describes: groups, gids, uids and, of the capabilities, those
 * that the caller has too. 0 or a negative errno, after which the caller must end: it may have
 * lost a part of its rights. To be called before there is a second thread.
 */
int become_parse_and_drop(const char *spec);
