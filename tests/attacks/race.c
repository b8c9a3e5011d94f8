/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads, or processes with one table of descriptors: one flips what the other asks with, as
 * fast as both can.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/attacks/attack.h"

#define TRIES       1000000 /* of a race that has taken place: until then it goes on */
#define ERRNO_LAST  133
#define STACK_BYTES 65536

struct flipper {
	const struct race *race;
	_Atomic bool stop;
	pthread_t thread;
	pid_t process;
};

static void *flip(void *pointer)
{
	struct flipper *flipper = pointer;

	while (!flipper->stop) {
		flipper->race->flip(flipper->race->state);
	}
	return NULL;
}

static int flip_for_ever(void *pointer)
{
	(void)flip(pointer);
	return 0;
}

static void start(struct flipper *flipper)
{
	static _Alignas(16) char stack[STACK_BYTES];

	if (flipper->race->by_process) {
		flipper->process =
			clone(flip_for_ever, stack + STACK_BYTES, CLONE_FILES | SIGCHLD, flipper);
		prepare(flipper->process > 0);
	} else {
		prepare(!pthread_create(&flipper->thread, NULL, flip, flipper));
	}
}

static void finish(struct flipper *flipper)
{
	flipper->stop = true;
	if (flipper->race->by_process) {
		kill(flipper->process, SIGKILL);
		waitpid(flipper->process, NULL, 0);
	} else {
		pthread_join(flipper->thread, NULL);
	}
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool is_expected(int error, const int *expected)
{
	for (; *expected; expected++) {
		if (*expected == error) {
			return true;
		}
	}
	return false;
}

static long verdict(const unsigned int *seen, const int *expected)
{
	int most = *expected;

	for (int error = 1; error <= ERRNO_LAST; error++) {
		if (seen[error] && !is_expected(error, expected)) {
			return -error;
		}
	}
	return seen[most] ? -most : -EALREADY; /* it was never refused: no race took place */
}

/* An attempt that got the allowed thing returns -ESTALE: neither won nor refused. */
long race_run(const struct race *race, const struct world *world, const int *expected)
{
	struct flipper flipper = {.race = race};
	unsigned int seen[ERRNO_LAST + 1] = {0};
	double end = now() + world->seconds;
	unsigned int tries = 0;
	long result = -EAGAIN;

	start(&flipper);
	for (; (tries < TRIES || !seen[*expected]) && result < 0; tries++) {
		if (tries % 256 == 0 && now() > end) {
			break;
		}
		result = race->attempt(race->state, world);
		if (result < 0 && result != -ESTALE) {
			seen[-result]++;
		}
	}
	finish(&flipper);
	printf("tries %u refused %u\n", tries, seen[*expected]);
	return result >= 0 ? 0 : verdict(seen, expected);
}
