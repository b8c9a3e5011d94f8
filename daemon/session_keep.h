/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session as it is kept in the store (store.h), in two parcels:
 *
 *   session-ID-N  record, listener, session memory, snapshot, logs: all that another broker needs
 *   broker-ID-N   the number of the broker that serves now, our end of its control socket, and
 *                 where its words are read: all that another daemon needs to go on with it
 *
 * A parcel that changes is put anew under the next N before the old one is removed, so that at no
 * moment there is none; of two the newer counts. Who serves is not told by the second parcel but by
 * the lock of the session's memory: a broker that was started and not kept yet is found there too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct store;

/* How many sessions the store has room for; without a store, any number. */
unsigned int session_keep_capacity(const struct store *store);

/* What was kept: its kind, session and N, in the order of the kinds here. */
struct session_name {
	bool is_broker;
	uint64_t session;
	unsigned int generation;
};
/* False if it is not the name of something of a session's. */
bool session_name_parse(struct session_name *parsed, const char *name);
void session_name_write(char *name, size_t size, const struct session_name *parsed);

/* 0 or a negative errno: -ENOSPC if the store is full. What is kept is so after store_sync. */
int session_keep(struct session *session);
int session_keep_broker(struct session *session);

/* Both, in a store that has nothing of it. */
int session_keep_again(struct session *session);

/* Nothing of the session, or of its broker, is kept any more. */
void session_unkeep(struct session *session);
void session_unkeep_broker(struct session *session);
