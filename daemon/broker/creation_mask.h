/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The umask of who makes a file. The kernel tells it in /proc/TID/status alone, and to have that
 * written takes longer than to make the file. So it is asked for only where it can be another than
 * the first process had when the session began: all targets descend from that one, and wherever
 * the broker makes files for them it is told of umask(2) before the call is made
 * (filter_mediation.c).
 *
 *   the session begins    it is noted in the session's memory, for the brokers to come as well
 *   umask(2) of another   SESSION_UMASKS_VARY: from now on it is asked for, whoever creates
 *   not noted             as if it varied
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct broker;

/* Notes that of `tid`, a thread of the first process, unless one is noted already. */
void creation_mask_note(const struct broker *broker, pid_t tid);

/* Would umask(2) of `mask` make any thread's another than what is noted? */
bool creation_mask_changes(const struct broker *broker, mode_t mask);

/* 0 or a negative errno. */
int creation_mask_of(const struct broker *broker, pid_t tid, mode_t *mask);

/* Gives the calling thread, which has one of its own, that of `tid`. 0 or a negative errno. */
int creation_mask_take(const struct broker *broker, pid_t tid);
