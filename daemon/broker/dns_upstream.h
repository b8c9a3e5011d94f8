/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system's resolver, asked by c-ares on the loop of the main thread: the servers of
 * resolv.conf(5) as the broker sees it, read again when it has changed. c-ares looks after
 * retries, server order, TCP, and that an answer belongs to its question. Questions that are the
 * same and under way at the same time are asked once.
 */
#pragma once

#include <uv.h>

#include "daemon/broker/dns_message.h"

#define DNS_UPSTREAM_MAX 256u /* questions under way */

struct dns_upstream;

/* `answer` is NULL where nobody has said anything that makes sense. Called once for each asker. */
typedef void dns_upstream_done(void *user, const struct dns_answer *answer);

/* 0 or a negative errno. */
int dns_upstream_new(struct dns_upstream **upstreamp, uv_loop_t *loop, const char *resolv_conf);

/*
 * Asks for a type that dns_answer_read() knows, of a canonical name. 0, and `done` is called from
 * the loop or before this returns; or -EAGAIN, -ENOMEM, and it is not.
 */
int dns_upstream_ask(struct dns_upstream *upstream, const char *name, int type,
	dns_upstream_done *done, void *user);
