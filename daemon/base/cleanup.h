/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership that one can see: a variable is marked at birth with how it ends, and is given away at
 * the one line that says `steal`. Descriptors start at -1, pointers at NULL.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define array_length(array) (sizeof(array) / sizeof((array)[0]))

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
}

static inline void cleanup_free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file) {
		fclose(*file);
	}
}

#define cleanup_fd   __attribute__((cleanup(cleanup_close)))
#define cleanup_free __attribute__((cleanup(cleanup_free_pointer)))
#define cleanup_file __attribute__((cleanup(cleanup_fclose)))

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

static inline void *steal_pointer_(void *pointer)
{
	void *stolen = *(void **)pointer;

	*(void **)pointer = NULL;
	return stolen;
}

#define steal_pointer(pointer) ((__typeof__(*(pointer)))steal_pointer_(pointer))

/* Closes *fd if it is open, and forgets it. */
static inline void close_fd(int *fd)
{
	cleanup_close(fd);
	*fd = -1;
}
