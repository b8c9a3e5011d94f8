/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process with a filter that notifies one harmless call (getppid), for the probes, and the
 * listener's raw ioctls: what a probe asks the kernel must not be smoothed by the broker's own
 * handling of it.
 */
#pragma once

#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/probe.h"
#include "daemon/base/missing.h"

struct probe_target {
	pid_t pid;
	int listener; /* -1 if the plan said so */
};

/* What the process does once its listener is ours. Returns its exit status: 0 as it should be. */
typedef int probe_target_body(void);

enum probe_target_flags {
	PROBE_TARGET_KILLABLE = 1u << 0,
	PROBE_TARGET_PLAIN = 1u << 1, /* no filter, no listener */
};

/* Starts it. 0 or a negative errno, that of loading the filter included. */
int probe_target_start(struct probe_target *target, unsigned int flags, probe_target_body *body);

/* Closes the listener and waits for the end. The body's status, or a negative errno. */
int probe_target_finish(struct probe_target *target);

/* In the body: makes the notified call. What it returned, or a negative errno. */
long probe_call(const void *argument);

int probe_answer(const struct probe_target *target, uint64_t id, int64_t value, int error);
int probe_continue(const struct probe_target *target, uint64_t id);
bool probe_is_pending(const struct probe_target *target, uint64_t id);
/* The number in the target, or a negative errno. `number` -1: the lowest free one. */
int probe_install(const struct probe_target *target, uint64_t id, int fd, int number);
int probe_set_listener_flags(const struct probe_target *target, uint64_t flags);

double probe_now_us(void);

/* The same with a report of what failed: false, and the result says what is missing. */
bool probe_start(struct probe_result *result, struct probe_target *target, unsigned int flags,
	probe_target_body *body);
bool probe_next(struct probe_result *result, const struct probe_target *target,
	struct seccomp_notif *notification);

/*
 * Ends the target; `failures[N - 1]` says what a body's status of N means, NULL ends them. False,
 * and the result says what is missing, if the status was not 0.
 */
bool probe_finish(
	struct probe_result *result, struct probe_target *target, const char *const *failures);
