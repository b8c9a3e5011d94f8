/* SPDX-License-Identifier: Apache-2.0 */
/*
 * [sockets], decided by numbers alone: the clauses of socket(2) and socketpair(2), and what follows
 * from them for the calls that work on sockets. A socket that cannot be made need not be looked at.
 * (Those that were open before the session, or came over a unix socket, are outside of this.)
 */
#pragma once

#include <stdbool.h>

struct plan;
struct policy;

/* Adds the clauses. 0 or a negative errno. */
int plan_sockets(struct plan *plan, const struct policy *policy);

/* Can a socket exist that takes an address with each message: of datagrams, of an odd family? */
bool sockets_take_addresses(const struct policy *policy);

/* Can one exist that listen(2) binds by itself, to an address that nobody named? */
bool sockets_bind_themselves(const struct policy *policy);
