/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the one is whom a hand-over is made with, and how it is found again: a usherd that was
 * killed, restarted or upgraded is back in a moment on the same socket. Our own `usher run` in
 * embedded mode is not.
 */
#pragma once

struct rendezvous {
	int socket; /* the connection; -1: there is none */
	char *path; /* of the daemon's socket, allocated; NULL: nobody comes back */
};

/*
 * Connects to the first daemon that answers: the user's own, then the system's. 0, or the negative
 * errno that tells most of why none does.
 */
int rendezvous_with_daemon(struct rendezvous *rendezvous);

/* Connects again, and tries for some seconds in all over its whole life. 0 or a negative errno. */
int rendezvous_again(struct rendezvous *rendezvous);

void rendezvous_finish(struct rendezvous *rendezvous);
