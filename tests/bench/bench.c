/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measured program: performs single calls many times over, alone or with several threads or
 * processes at once, times each one, and prints a line for each case:
 *
 *   case=open workers=1 kind=thread calls=2000 wall_ns=812 mean_ns=790 p50_ns=760 p99_ns=1500 ...
 *
 * wall_ns is the time from the common start to the last worker's end over all calls: what a call
 * costs when `workers` do nothing else. The rest is of the single calls as the caller sees them. A
 * call that gives another answer than the case expects ends the program: a wrong answer in good
 * time is worth nothing.
 *
 *   bench [--cases a,b] [--iterations N] [--workers N] [--processes] [--expect-denied]
 *         [--denied-port PORT]
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/bench/cases.h"

#define WORKERS_MAX    64u
#define ITERATIONS_MAX 1000000u
#define WARM_UP        50u

/* Shared by the workers, which may be processes. */
struct arena {
	pthread_barrier_t barrier;
	uint64_t started[WORKERS_MAX], ended[WORKERS_MAX];
	int errors[WORKERS_MAX]; /* negative errno of a worker */
	uint32_t samples[];      /* iterations of worker 0, of worker 1, ... */
};

static struct {
	const char *cases; /* NULL: all */
	unsigned int iterations;
	unsigned int workers;
	bool processes;
} options = {.iterations = 2000, .workers = 1};

static struct fixture fixture;
static struct arena *arena;

struct job {
	const struct bench_case *bench_case;
	unsigned int index;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* 0, or a negative errno; -EPROTO when the answer is not the expected one. */
static int perform(const struct bench_case *bench_case, struct worker *worker, uint32_t *sample)
{
	int expected = bench_case->expected ? bench_case->expected(&fixture) : 0;
	int error = bench_case->prepare ? bench_case->prepare(worker) : 0;

	if (error < 0) {
		return error;
	}
	uint64_t start = now_ns();
	int got = bench_case->call(worker);
	uint64_t elapsed = now_ns() - start;
	*sample = elapsed > UINT32_MAX ? UINT32_MAX : (uint32_t)elapsed;
	if (got != expected) {
		fprintf(stderr, "bench: %s: got %s, expected %s\n", bench_case->name,
			strerrorname_np(got), strerrorname_np(expected));
		return -EPROTO;
	}
	return bench_case->finish ? bench_case->finish(worker) : 0;
}

static int repeat(const struct bench_case *bench_case, unsigned int index)
{
	struct worker worker = {.fixture = &fixture, .index = index, .fd = -1};
	uint32_t *samples = arena->samples + (size_t)index * options.iterations;
	int error = 0;

	for (unsigned int i = 0; i < WARM_UP && error == 0; i++) {
		error = perform(bench_case, &worker, &samples[0]);
	}
	pthread_barrier_wait(&arena->barrier);
	arena->started[index] = now_ns();
	for (unsigned int i = 0; i < options.iterations && error == 0; i++) {
		error = perform(bench_case, &worker, &samples[i]);
	}
	arena->ended[index] = now_ns();
	return error;
}

static void *thread_main(void *argument)
{
	const struct job *job = argument;

	arena->errors[job->index] = repeat(job->bench_case, job->index);
	return NULL;
}

static int run_threads(const struct bench_case *bench_case)
{
	pthread_t threads[WORKERS_MAX];
	struct job jobs[WORKERS_MAX];

	for (unsigned int i = 1; i < options.workers; i++) {
		jobs[i] = (struct job){bench_case, i};
		int error = pthread_create(&threads[i], NULL, thread_main, &jobs[i]);
		if (error != 0) {
			return -error; /* the barrier never opens: main exits */
		}
	}
	jobs[0] = (struct job){bench_case, 0};
	thread_main(&jobs[0]);
	for (unsigned int i = 1; i < options.workers; i++) {
		pthread_join(threads[i], NULL);
	}
	return 0;
}

static int run_processes(const struct bench_case *bench_case)
{
	int error = 0;

	for (unsigned int i = 0; i < options.workers; i++) {
		pid_t child = fork();
		if (child == 0) {
			struct job job = {bench_case, i};
			thread_main(&job);
			_exit(0);
		}
		if (child < 0) {
			return -errno;
		}
	}
	for (unsigned int i = 0; i < options.workers; i++) {
		int status;
		if (wait(&status) < 0 || status != 0) {
			error = -ECHILD;
		}
	}
	return error;
}

static int compare_samples(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

static uint64_t wall_ns(void)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (unsigned int i = 0; i < options.workers; i++) {
		first = arena->started[i] < first ? arena->started[i] : first;
		last = arena->ended[i] > last ? arena->ended[i] : last;
	}
	return last - first;
}

static void print_result(const struct bench_case *bench_case)
{
	size_t calls = (size_t)options.workers * options.iterations;
	uint32_t *samples = arena->samples;
	uint64_t sum = 0;

	for (size_t i = 0; i < calls; i++) {
		sum += samples[i];
	}
	qsort(samples, calls, sizeof(*samples), compare_samples);
	printf("case=%s workers=%u kind=%s calls=%zu wall_ns=%.1f mean_ns=%.1f p50_ns=%u p99_ns=%u "
	       "p999_ns=%u max_ns=%u\n",
		bench_case->name, options.workers, options.processes ? "process" : "thread", calls,
		(double)wall_ns() / (double)calls, (double)sum / (double)calls, samples[calls / 2],
		samples[calls * 99 / 100], samples[calls * 999 / 1000], samples[calls - 1]);
	fflush(stdout);
}

static int run_case(const struct bench_case *bench_case)
{
	pthread_barrierattr_t attributes;

	pthread_barrierattr_init(&attributes);
	pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&arena->barrier, &attributes, options.workers);
	int error = options.processes ? run_processes(bench_case) : run_threads(bench_case);
	for (unsigned int i = 0; i < options.workers && error == 0; i++) {
		error = arena->errors[i];
	}
	if (error < 0) {
		fprintf(stderr, "bench: %s: %s\n", bench_case->name, strerror(-error));
		return error;
	}
	print_result(bench_case);
	return 0;
}

static bool is_wanted(const char *name)
{
	size_t length = strlen(name);

	for (const char *at = options.cases; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0')) {
			return true;
		}
	}
	return options.cases == NULL;
}

static unsigned int parse_number(const char *text, unsigned int limit)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value == 0 || value > limit) {
		fprintf(stderr, "bench: %s: not a number from 1 to %u\n", text, limit);
		exit(2);
	}
	return (unsigned int)value;
}

static void parse_arguments(int argc, char **argv)
{
	static const struct option table[] = {{"cases", required_argument, NULL, 'c'},
		{"iterations", required_argument, NULL, 'i'},
		{"workers", required_argument, NULL, 'w'}, {"processes", no_argument, NULL, 'p'},
		{"expect-denied", no_argument, NULL, 'd'},
		{"denied-port", required_argument, NULL, 'P'}, {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", table, NULL)) >= 0) {
		switch (option) {
		case 'c':
			options.cases = optarg;
			break;
		case 'i':
			options.iterations = parse_number(optarg, ITERATIONS_MAX);
			break;
		case 'w':
			options.workers = parse_number(optarg, WORKERS_MAX);
			break;
		case 'p':
			options.processes = true;
			break;
		case 'd':
			fixture.expect_denied = true;
			break;
		case 'P':
			fixture.denied_port = (uint16_t)parse_number(optarg, UINT16_MAX);
			break;
		default:
			exit(2);
		}
	}
}

static struct arena *map_arena(void)
{
	size_t calls = (size_t)options.workers * options.iterations;
	void *memory = mmap(NULL, sizeof(struct arena) + calls * sizeof(uint32_t),
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int main(int argc, char **argv)
{
	fixture.denied_port = 1;
	parse_arguments(argc, argv);
	arena = map_arena();
	if (!arena) {
		perror("bench: cannot map memory for the figures");
		return 1;
	}
	int error = fixture_init(&fixture);
	if (error < 0) {
		fprintf(stderr, "bench: cannot prepare: %s\n", strerror(-error));
		return 1;
	}
	for (size_t i = 0; i < bench_case_count && error == 0; i++) {
		if (is_wanted(bench_cases[i].name)) {
			error = run_case(&bench_cases[i]);
		}
	}
	unlink(fixture.unix_path);
	return error < 0 ? 1 : 0;
}
