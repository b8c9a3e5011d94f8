/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is measured: single calls, each with what has to be there before it and put away after it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the cases work on; made once, before the workers start, and then only read. */
struct fixture {
	char directory[4096]; /* the working directory: holds `existing`, `denied`, `link` */
	char existing[4352], missing[4352], denied[4352], link[4352];
	const char *memory; /* where files are made: a disk's journal is not what is measured */
	int tcp_listener, unix_listener, udp_receiver;
	uint16_t tcp_port, udp_port, denied_port; /* host order */
	char unix_path[108];
	int zero; /* /dev/zero */
	bool expect_denied;
};

/* One worker's own state. */
struct worker {
	const struct fixture *fixture;
	unsigned int index;
	int fd;             /* between prepare, call and finish */
	char created[4352]; /* the name that `create` makes */
};

/*
 * Only `call` is timed; it returns 0 or the errno it got. prepare and finish return 0 or a negative
 * errno, and may be NULL.
 */
struct bench_case {
	const char *name;
	int (*prepare)(struct worker *worker);
	int (*call)(struct worker *worker);
	int (*finish)(struct worker *worker);
	int (*expected)(const struct fixture *fixture); /* the errno; NULL: success */
};

extern const struct bench_case bench_cases[];
extern const size_t bench_case_count;

/* 0 or a negative errno. */
int fixture_init(struct fixture *fixture);
