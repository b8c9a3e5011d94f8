/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One broker process as its supervisor sees it: started with a control socket as descriptor 3, an
 * empty environment and a session of its own, watched until it ends. What it writes to standard
 * error is put into the daemon's log, line by line and not without bound: it runs with the
 * client's rights and gets no descriptor of the log.
 *
 *   RUNNING   `message` for each packet that is legal in the phase (READY, then SERVING); a packet
 *             that is not kills it
 *   ENDED     `ended`, once, after the last message
 *
 * The owner gets no call after child_kill or child_release. The memory goes when the last handle is
 * closed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct child;
struct wire_start;

struct child_events {
	void (*message)(void *owner, const void *packet, size_t size);
	/* As uv_exit_cb has it: exit status, or the signal that killed it. */
	void (*ended)(void *owner, int64_t status, int signal);
};

struct child_options {
	const char *program;
	const char *become; /* for --become; NULL: it stays what we are */
	const char *label;  /* stands before its lines in the log */
	const struct child_events *events;
	void *owner;
};

/* 0 or a negative errno. */
int child_start(struct child **childp, uv_loop_t *loop, const struct child_options *options);

/* Sends START; the descriptors stay the caller's. 0 or a negative errno. */
int child_send_start(
	struct child *child, const struct wire_start *start, const int *fds, size_t fd_count);

pid_t child_pid(const struct child *child);

void child_kill(struct child *child);    /* SIGKILL; NULL is nothing */
void child_release(struct child *child); /* it goes on by itself; NULL is nothing */
