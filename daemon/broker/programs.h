/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What those are called whose decisions are told. The log asks /proc for it when it writes, and a
 * program may have ended by then: often what it was refused is the last that it did. So before such
 * an answer the name is looked up, too, but of nobody twice in a second: a thread's number comes
 * round later than that, and who is refused again and again does not pay for it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROGRAM_NAME_ROOM 64u /* a thread's name has 15 bytes, a kernel worker's may have more */

struct programs;

struct program {
	pid_t pid; /* the process */
	char name[PROGRAM_NAME_ROOM];
};

/* NULL where there is no memory for it: then nothing is kept. */
struct programs *programs_new(void);

/* Asks /proc. False if the thread is gone. */
bool programs_ask(pid_t tid, struct program *program);

/* The thread waits for an answer, and at `now_ns` it was there. */
void programs_note(struct programs *programs, pid_t tid, uint64_t now_ns);

/* What was noted of it last. False if nothing is kept. */
bool programs_recall(struct programs *programs, pid_t tid, struct program *program);
