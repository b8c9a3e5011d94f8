/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of the broker's stages: a broker without a listener, one request, and a target: a
 * child that waits, and on command opens files itself, as the kernel does it for the target.
 */
#pragma once

#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/broker/broker.h"
#include "daemon/broker/request.h"

struct stage {
	struct broker broker;
	struct request *request;
	struct session_slot *slot;
	pid_t target;
	int channel; /* to the target */
};

/* Starts a target that calls `prepare` (which may be NULL) first. Fails the test if it cannot. */
void stage_init(struct stage *stage, void (*prepare)(void *), void *argument);
void stage_finish(struct stage *stage);

/* The same as cmocka wants it: one stage for a group of tests. */
int stage_start(void **state, void (*prepare)(void *));
int stage_set_up(void **state); /* with nothing to prepare */
int stage_tear_down(void **state);

/* The request becomes the call `nr` of the target, just received. */
void stage_call(struct stage *stage, int nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* Decodes it, and releases what was pinned: what a test looks at is text and numbers. */
int stage_decode(struct stage *stage);

/*
 * Memory at the same address here and in the targets started later, so that a test can fill it
 * afterwards. Behind its pages is one that is not there.
 */
#define STAGE_PAGE 4096u
char *stage_memory(size_t pages);

/* A pointer as a register has it. */
uint64_t stage_at(const void *pointer);

/* For `prepare`: the target's descriptor `fd` gets another number. Aborts if it is none. */
void stage_renumber(int fd, int number);

/* What an open natively gives. */
struct native_open {
	int error; /* positive errno, or 0 */
	uint64_t device, inode;
	char name[PATH_MAX]; /* the kernel's, as the target sees it */
};

/* The target itself opens `path` by openat2(2), relative to its working directory. */
void stage_open_natively(struct stage *stage, const char *path, const struct open_how *how,
	struct native_open *native);
