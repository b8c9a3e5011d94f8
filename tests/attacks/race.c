/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads: one flips what the other asks with, as fast as both can.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "tests/attacks/attack.h"

#define TRIES      1000000
#define ERRNO_LAST 133

struct flipper {
	const struct race *race;
	_Atomic bool stop;
};

static void *flip(void *pointer)
{
	struct flipper *flipper = pointer;

	while (!flipper->stop) {
		flipper->race->flip(flipper->race->state);
	}
	return NULL;
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
	pthread_t thread;

	prepare(!pthread_create(&thread, NULL, flip, &flipper));
	for (; tries < TRIES && result < 0; tries++) {
		if (tries % 256 == 0 && now() > end) {
			break;
		}
		result = race->attempt(race->state, world);
		if (result < 0 && result != -ESTALE) {
			seen[-result]++;
		}
	}
	flipper.stop = true;
	pthread_join(thread, NULL);
	printf("tries %u refused %u\n", tries, seen[*expected]);
	return result >= 0 ? 0 : verdict(seen, expected);
}
