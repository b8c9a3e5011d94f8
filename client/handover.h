/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of the hand-over (include/usher/wire.h), the same towards usherd and towards
 * `usher run` itself.
 *
 * The thread that will become the program loads the filter and from then on does nothing but the
 * probe call, a wait and exec; all else is done by a second thread, which is not filtered. So no
 * call of ours can wait for an answer of a broker that has not been given the listener yet,
 * whatever the policy notifies or denies.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "client/handover_failure.h"

struct rendezvous;

struct handover_hello {
	const char *policy;
	const char *command; /* for people */
	const char *const *sets;
	size_t set_count;
	uint32_t network; /* enum wire_network, as asked for */
	int log_fd;       /* -1 or open for writing */
	int verbose_fd;   /* -1 or open for writing */
	int passed;       /* sockets that we were given (given.h) */
};

/*
 * 0: the calling thread is filtered and its session is served; exec is what is left to do. Else a
 * negative errno with `failure` told: the calling thread is not filtered, but it may have lost
 * rights (no_new_privs, Landlock) or its network, and is good for nothing but to end. What fails
 * after the filter is loaded cannot be undone: it is told on stderr and the process ends with
 * EXIT_RUN. `rendezvous` stays the caller's.
 *
 * A supervisor that dies meanwhile is waited for, where it can come back, and the dance begins
 * anew: up to READY nothing of it is lost, since the listener is ours until then.
 */
int handover(struct rendezvous *rendezvous, const struct handover_hello *hello,
	struct handover_failure *failure);
