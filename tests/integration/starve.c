/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into a program, it has some of its allocations fail: those whose numbers lie in
 * [from, until) of a plan that a test keeps in a file beside the program, PROGRAM.starve. The plan
 * is mapped, so the test may change it, and read how far the count has gone, while the program
 * runs; all processes of the program count together. Without the file nothing fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

#define SUFFIX ".starve"

struct plan {
	uint64_t count; /* allocations so far */
	uint64_t from, until;
};

/* The allocator's own, under the names by which the C library exports them besides. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static struct plan *plan;

static __attribute__((constructor)) void find_plan(void)
{
	char path[PATH_MAX + sizeof(SUFFIX)];
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);

	if (length < 0) {
		return;
	}
	memcpy(path + length, SUFFIX, sizeof(SUFFIX));
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		return;
	}
	void *mapped = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	plan = mapped != MAP_FAILED ? mapped : NULL;
}

static bool is_refused(void)
{
	if (!plan) {
		return false;
	}
	uint64_t number = __atomic_fetch_add(&plan->count, 1, __ATOMIC_RELAXED);
	if (number < plan->from || number >= plan->until) {
		return false;
	}
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return is_refused() ? NULL : __libc_malloc(size);
}

/* The names in the headers are theirs. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void *calloc(size_t count, size_t size)
{
	return is_refused() ? NULL : __libc_calloc(count, size);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void *realloc(void *old, size_t size)
{
	return is_refused() ? NULL : __libc_realloc(old, size);
}
