/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching decisions as they are made. Brokers tell of them only while somebody wants to know:
 * session_memory.watched has a bit for each verdict that some watcher of the session asks for, so
 * that what nobody watches costs nothing. What a broker tells is not trusted: only the members of a
 * record go on, with the daemon's own word for the session.
 */
#pragma once

struct context;
struct session;

/* A session has begun to be served, or is about to end: watchers are told. */
void monitor_began(struct session *session);
void monitor_ended(struct session *session);

/* A broker's record of the audit log: a JSON object. */
void monitor_decision(struct session *session, const char *record_text);
