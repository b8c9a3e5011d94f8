/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names, for sessions whose policy names hosts. The broker is the only nameserver that the session
 * can reach: it answers what the policy lets be asked for, from hosts(5), its cache or the system's
 * resolver, and says NXDOMAIN to the rest, which is asked of nobody. It remembers what it has
 * answered, and a connection to an address is judged by the names that lead there: the one that was
 * asked for and each alias behind it.
 *
 *   program ── question ──> dns_server ──> dns.c: may it? ──> hosts, cache, or dns_upstream
 *                                                                    │
 *   program <── answer ─── dns_server <── dns_memory: remembered <───┘
 *   program ── connect ──> dns_decide: by which names does this session know the address?
 *
 * Questions are served by the loop of the main thread; connections are judged by the workers.
 */
#pragma once

#include <sys/types.h>
#include <uv.h>

#include "daemon/policy/policy.h"

struct broker;
struct dns;
struct start_failure;

/* Fills broker->dns (and ->outside), if the policy names hosts. 0 or a negative errno, told in
 * `failure`. */
int dns_start(struct broker *broker, uv_loop_t *loop, struct start_failure *failure);

/*
 * `broker` is the one that calls begin with from now on, with another policy: answers for that one.
 * As dns_start() where the one before named no hosts.
 */
int dns_follow(struct broker *broker, uv_loop_t *loop);

/*
 * The policy's verdict on an address, of a connection by the names that lead there; one of them is
 * written to `name`, or "". `dns` may be NULL.
 */
struct policy_verdict dns_decide(struct dns *dns, const struct policy *policy,
	enum policy_operation operation, const struct policy_endpoint *endpoint,
	char name[POLICY_NAME_MAX + 1]);

/* Was the socket made by dns_socket()? */
bool dns_owns(const struct dns *dns, int socket);

/*
 * A socket of the kind of `like` by which questions reach us, whatever address it is connected to;
 * bound as that one is. `tid` asks, for the log. A descriptor or a negative errno.
 */
int dns_socket(struct dns *dns, int like, pid_t tid);
