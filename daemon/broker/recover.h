/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a broker notes for the one that may come after it, and what that one makes of it. A call
 * whose repetition would have another result is noted before it is made; a descriptor is marked
 * while it is on its way into the target, so that it is found there.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "usher/session.h"

struct broker;
struct request;

/*
 * How far it is with the call. Who reads that does it after our death, and all that we had written
 * is there then: in the order of the program, which is all that matters, and for which no
 * processor has to wait.
 */
static inline void recover_set_state(struct session_slot *slot, enum session_slot_state state)
{
	atomic_store_explicit(&slot->state, state, memory_order_release);
}

/* The act begins: a successor will know that it may have been done. */
void recover_note(struct request *request);

/* An earlier broker died while it was doing this. */
bool recover_is_repeated(const struct request *request);

/* Was the entry made since the act was noted? False also if its filesystem does not tell. */
bool recover_is_new(const struct request *request, int directory, const char *name);

/* Marks `fd`, which is about to be installed, as this slot's; takes the mark off again. */
void recover_mark(const struct broker *broker, struct request *request, int fd);
void recover_unmark(int fd);

/* The number of the marked descriptor in the target, its mark taken off, or -ENOENT. */
int recover_find(const struct broker *broker, const struct request *request);
