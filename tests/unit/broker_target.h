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

/* The request becomes the call `nr` of the target, just received. */
void stage_call(struct stage *stage, int nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* What an open natively gives. */
struct native_open {
	int error; /* positive errno, or 0 */
	uint64_t device, inode;
	char name[PATH_MAX]; /* the kernel's, as the target sees it */
};

/* The target itself opens `path` by openat2(2), relative to its working directory. */
void stage_open_natively(struct stage *stage, const char *path, const struct open_how *how,
	struct native_open *native);
