/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question to a policy, as `usher explain` asks it, and its answer. The answer comes from the
 * code that decides in earnest: the filter that would be loaded is run for each system call that
 * could carry the question, and what it would notify is decided as the broker would.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/policy/filter.h"
#include "daemon/policy/policy.h"

/* One of the system calls by which a program could ask. */
struct explain_call {
	const char *name;
	int nr;
	unsigned long long args[6];
	enum filter_answer answer; /* found by running the filter */
	int error;                 /* FILTER_ERRNO */
};

#define EXPLAIN_CALLS_MAX 4

struct explain_question {
	enum policy_section section;
	char *asked;                     /* in words, as it is understood: resolved, canonical */
	unsigned int operations;         /* FILES, NETWORK */
	struct policy_endpoint endpoint; /* NETWORK */
	const char *name;                /* NETWORK: of a host, in `path`; what it leads to, or */
	bool resolves;                   /* whether it may be asked for */
	int family, type, protocol;      /* SOCKETS */
	char *path;                      /* FILES, and what `endpoint` points into */
	struct explain_call calls[EXPLAIN_CALLS_MAX]; /* the first is the usual one */
	size_t call_count;
	const char *kernel; /* who enforces what the filter lets pass, beside it; or NULL */
};

struct explain_answer {
	struct policy_verdict verdict;
	bool is_own; /* usher's own refusal: no rule says so, `verdict.rule` is NULL */
};

/*
 * Reads a question from the words of the command line: argv[0] is `open`, `connect`, `socket`,
 * `syscall` or an operation on files. 0 or a negative errno, said on stderr. `question` is ended in
 * any case by explain_question_finish.
 */
int explain_question_parse(struct explain_question *question, int argc, char **argv);
void explain_question_finish(struct explain_question *question);
