/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks, for the log: by the port of the socket that a thread was given. A port of long ago may
 * be another's by now; nothing is decided by it.
 */
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#define DNS_ASKERS 1024u

struct dns_origin;

struct dns_askers {
	_Atomic pid_t tids[DNS_ASKERS]; /* by port */
};

void dns_askers_note(struct dns_askers *askers, int socket, pid_t tid);
/* 0: nobody knows. */
pid_t dns_askers_find(const struct dns_askers *askers, const struct dns_origin *origin);
