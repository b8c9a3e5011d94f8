/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks: each tries by one road to get what the policy of run.py denies, and succeeds natively.
 * An attack returns what it got (0 or more: it has reached the secret) or the negative errno with
 * which it was refused. Its twin goes the same road to what is allowed, and must get there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/common/raw.h"

/*
 * What run.py has made. The working directory holds
 *   dirA/file   "allowed", dirA/socket: allowed
 *   dirS/file   "secret", dirS/socket: denied altogether (EACCES, the socket EHOSTUNREACH)
 *   dirR/file   "readable": may be read, not written
 *   dirC/file   "closed": all may be done with it, but nothing made beside it
 * so that one byte makes an allowed name of a denied one, and the other way round.
 */
struct world {
	const char *attack; /* its name */
	const char *directory;
	uint16_t denied_port;  /* tcp and udp to it, by whatever address */
	uint16_t local_port;   /* to it on 127.0.0.1 and ::1 only */
	uint16_t stream_port;  /* udp to it; tcp is allowed */
	uint16_t allowed_port; /* nothing is denied */
	pid_t outsider;        /* of the same user, outside the session; see outsider.c */
	uint64_t outsider_memory;
	int outsider_fd;
	int outsider_memory_fd; /* a memory file */
	pid_t elsewhere;        /* its child, which sees "secret" in dirM/file, and is number 1 of
				   processes of its own; or -1 */
	double seconds;         /* for a race */
	bool twin;              /* go to what is allowed */
};

typedef long attack_function(const struct world *world);

struct attack {
	const char *name;
	attack_function *function;
};

/* Each module's attacks, ended by a NULL name. */
extern const struct attack attacks_road[];
extern const struct attack attacks_namespace[];
extern const struct attack attacks_mounts[];
extern const struct attack attacks_setns[];
extern const struct attack attacks_recycled[];
extern const struct attack attacks_sibling[];
extern const struct attack attacks_foreign[];
extern const struct attack attacks_race_name[];
extern const struct attack attacks_race_address[];
extern const struct attack attacks_address[];
extern const struct attack attacks_process[];
extern const struct attack attacks_proc[];
extern const struct attack attacks_change[];
extern const struct attack attacks_move[];
extern const struct attack attacks_race_change[];
extern const struct attack attacks_send[];
extern const struct attack attacks_race_send[];

/* "dirS", or for the twin "dirA". */
const char *world_directory(const struct world *world);
/* "dirS/file", or for the twin "dirA/file". */
const char *world_file(const struct world *world);
/* The same, absolute; static storage. */
const char *world_file_absolute(const struct world *world);
uint16_t world_port(const struct world *world);

/*
 * Consumes `fd` (which may be a negative errno) and says whether it leads to the file that was to
 * be reached: 0 if its content is right, -ESTALE if it is something else.
 */
long world_check(const struct world *world, int fd);

/* Into a mount namespace of one's own, in which nothing that is mounted is seen elsewhere. */
void mounts_enter(void);

/* For what cannot be tried here: says why, and ends the program. */
_Noreturn void attack_impossible(const char *why);
/* Ends the program: the attack's own preparation failed. */
_Noreturn void attack_broken(const char *what);

/* `ok` is whether a step of preparation did what it should. */
#define prepare(ok)                         \
	do {                                \
		if (!(ok)) {                \
			attack_broken(#ok); \
		}                           \
	} while (0)

/* A race: tries until it wins, 10^6 times or until the time is over. */
struct race {
	void (*flip)(void *state); /* what the other thread does, over and over */
	long (*attempt)(void *state, const struct world *world); /* 0 or more: won */
	void *state;
	bool by_process; /* not a thread, but a process that has nothing in common but descriptors
			  */
};

/*
 * 0 if it was won. Else the negative errno that was seen most of those in `expected` (ended by 0),
 * or of any other that was seen once.
 */
long race_run(const struct race *race, const struct world *world, const int *expected);
