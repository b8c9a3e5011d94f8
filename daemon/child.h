/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One broker process as its supervisor sees it: started, or taken over from a daemon that died,
 * with a control socket as descriptor 3, an empty environment and a session of its own, watched
 * until it ends. What it writes to standard error is put into the daemon's log, line by line and
 * not without bound: it runs with the client's rights and gets no descriptor of the log.
 *
 *   RUNNING   `message` for each packet that is legal in the phase (READY, then SERVING); a packet
 *             that is not kills it, and one of another version is told by `ended`
 *   ENDED     `ended`, once, after the last message
 *
 * The owner gets no call after child_kill or child_release. The memory goes when the last handle is
 * closed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct child;
struct wire_start;

/* In place of a signal: an adopted one has ended, in a way that we cannot know. */
#define CHILD_SIGNAL_UNKNOWN (-1)
/* Or: it was ended since what it says is of another release than what we understand. */
#define CHILD_SIGNAL_FOREIGN (-2)

struct child_events {
	void (*message)(void *owner, const void *packet, size_t size);
	/* As uv_exit_cb has it: exit status, or the signal that killed it; or one of the above. */
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

/* What an earlier daemon has left of a broker that it started. */
struct child_estate {
	pid_t pid;
	int pidfd;          /* of this process, checked by the caller */
	int control, words; /* as child_descriptors told them; -1: they are lost */
	bool serves;        /* it has said READY, or is about to */
};

/*
 * Goes on with a broker that is not our child; the descriptors stay the caller's. Of its end nobody
 * learns more than that it is so. One whose control socket is lost says nothing. 0 or a negative
 * errno.
 */
int child_adopt(struct child **childp, uv_loop_t *loop, const struct child_options *options,
	const struct child_estate *estate);

/* What the next daemon needs for child_adopt; they stay the child's. -1: there is none. */
void child_descriptors(const struct child *child, int *control, int *words);

/* Sends START; the descriptors stay the caller's. 0 or a negative errno. */
int child_send_start(
	struct child *child, const struct wire_start *start, const int *fds, size_t fd_count);

/* Gives another policy to a broker that serves; `snapshot` stays the caller's. As above. */
int child_send_policy(struct child *child, uint64_t number, int snapshot);

/* Has it signal those processes of its session that nobody else can find. As above. */
int child_send_signal(struct child *child, int signal);

pid_t child_pid(const struct child *child);

void child_replace(struct child *child); /* SIGKILL; `ended` will tell */
void child_kill(struct child *child);    /* SIGKILL, and no more calls; NULL is nothing */
void child_release(struct child *child); /* it goes on by itself; NULL is nothing */
