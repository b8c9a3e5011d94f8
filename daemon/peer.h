/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a connection. Everything is asked of the kernel, once, when the
 * connection is accepted: ids and groups as they were when the client called connect(2), a pidfd
 * so that its number cannot come to mean another process, its capabilities. Nothing that the
 * client says about itself is believed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct peer {
	pid_t pid;
	int pidfd; /* -1: it has ended */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* the supplementary ones */
	size_t group_count;
	uint64_t capabilities; /* permitted ones; 0 in a user namespace that is not ours */
	uint64_t started;      /* in ticks: with the number it names a process for good */
	bool ids_can_vary;     /* it is privileged, or its ids are not all the same */
};

/*
 * 0 or a negative errno: -ESRCH (it is gone), -EPERM (it is no longer who it was when it
 * connected). On an error there is nothing to finish.
 */
int peer_init(struct peer *peer, int socket);
/*
 * Of a peer that may have ended already: uid, gid, pid and groups as they were when it connected,
 * nothing else; pidfd is -1. 0 or a negative errno.
 */
int peer_init_ids(struct peer *peer, int socket);
/* Ourselves as a peer. */
int peer_init_self(struct peer *peer);
void peer_finish(struct peer *peer);

/* Opens the pidfd of a peer of which an earlier usherd has told us, if it is still running. */
void peer_find_again(struct peer *peer);

/* True if both are the same process, and it is running. */
bool peer_is_same(const struct peer *a, const struct peer *b);

/*
 * True if the peer has not ended. What was read from /proc by its number is its own if it is still
 * running afterwards.
 */
bool peer_is_running(const struct peer *peer);

/* Does it live in our network namespace? False also if that cannot be told. */
bool peer_is_in_our_network(const struct peer *peer);

bool peer_has_group(const struct peer *peer, gid_t gid);

/*
 * Its working directory as it sees it itself, allocated; NULL if it has none that can be named
 * (deleted, outside of its root).
 */
char *peer_working_directory(const struct peer *peer);

/*
 * The thread of the peer that the peer itself, in its own pid namespace, knows as `tid`. Returns
 * its number in our pid namespace, or -ESRCH if the peer has no such thread.
 */
pid_t peer_thread(const struct peer *peer, pid_t tid);

/* The identity for `usher-broker --become`, see daemon/broker/become.h; allocated. */
char *peer_become(const struct peer *peer);
