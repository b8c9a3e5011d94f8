/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rights under which a call is performed: those of the calling thread. Where its ids cannot
 * differ from the broker's nothing is switched; where they can, the broker's thread takes on the
 * effective and filesystem ids, groups and effective capabilities of the target for as long
 * as it resolves and acts. Ids of the kernel are per thread, so other threads are not touched: raw
 * system calls, never glibc's process-wide ones.
 */
#pragma once

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IDENTITY_GROUPS_MAX 1024

/*
 * The capabilities by which no call that a broker makes is ever judged, nor the use of what it has
 * opened: it gives them up, and they count nowhere.
 */
#define IDENTITY_CAPABILITIES_UNUSED                                                      \
	(1ull << CAP_SETPCAP | 1ull << CAP_IPC_OWNER | 1ull << CAP_SYS_MODULE |           \
		1ull << CAP_SYS_PACCT | 1ull << CAP_SYS_BOOT | 1ull << CAP_SYS_NICE |     \
		1ull << CAP_SYS_TTY_CONFIG | 1ull << CAP_LEASE | 1ull << CAP_WAKE_ALARM | \
		1ull << CAP_BLOCK_SUSPEND | 1ull << CAP_PERFMON | 1ull << CAP_BPF)

struct identity {
	uid_t uid; /* filesystem uid and gid: whose files */
	gid_t gid;
	uid_t effective_uid; /* effective: who a peer of a unix socket sees (SO_PEERCRED) */
	gid_t effective_gid;
	uint64_t capabilities; /* effective */
	uid_t real_uid;
	gid_t real_gid;
	uint64_t permitted;         /* capabilities */
	bool is_in_other_namespace; /* of users: its capabilities are not ours to use */
	uint64_t inside_capabilities, inside_permitted; /* but count there, see join.h */
	bool by_real_ids;                               /* identity_use_real_ids() was called */
	unsigned int group_count;
	gid_t groups[IDENTITY_GROUPS_MAX];
};

/* Reads those of a thread from /proc/TID/status. 0 or a negative errno (-E2BIG: too many groups).
 */
int identity_read(struct identity *identity, pid_t tid);

/* Those by which access(2) judges: the real ids, and what capabilities go with them. */
void identity_use_real_ids(struct identity *identity);

/* Who somebody is in a user namespace of his own: numbers as they are there. */
struct identity_inside {
	bool has_uids; /* it has a map */
	uid_t uid;     /* filesystem uid */
	uid_t effective_uid;
	uid_t ours; /* the broker's own effective uid, as it is outside */
	uint64_t capabilities;
};

/*
 * Takes the calling process, which has one thread and the target's identity, into the user
 * namespace of that descriptor, for good. 0 or a negative errno, after which it must end.
 */
int identity_join(const struct identity_inside *inside, int namespace);

/* Same ids, groups and capabilities? A group that is the gid, too, adds nothing to it. */
bool identity_is_same(const struct identity *a, const struct identity *b);

/* Could we become that one, and ourselves again? False where neither would be possible. */
bool identity_can_assume(const struct identity *own, const struct identity *wanted);

/*
 * Takes on `wanted`, coming from `current`. 0 or a negative errno, then the identity is undefined
 * and identity_assume(current, wanted) is due. The caller returns by the same call, with both
 * swapped.
 */
int identity_assume(const struct identity *wanted, const struct identity *current);

/*
 * In the middle of an act: back to `own` for what needs our rights over the target, its memory and
 * descriptors, and on again with `assumed`. Nothing where both are the same. A thread that cannot
 * become itself again must not go on: that ends the process. 0 or a negative errno.
 */
void identity_pause(const struct identity *own, const struct identity *assumed);
int identity_resume(const struct identity *own, const struct identity *assumed);
