/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter: what of a policy the kernel itself decides, and what it notifies. The product is a
 * plain BPF program that any process can load.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

struct policy;

struct filter {
	struct sock_filter *instructions;
	size_t count;
};

struct filter_options {
	bool targets_are_root; /* also notify the calls that change ids: they are continued and
				  noted */
	/* Operations on files that the client's Landlock layer decides on alone; mechanism.h says
	 * of the policy that it can. */
	unsigned int landlock;
};

/* What becomes of a call before the broker is asked, for `explain` and the tests. */
enum filter_answer { FILTER_ALLOW, FILTER_NOTIFY, FILTER_ERRNO, FILTER_KILL };

/* 0 or a negative errno: -E2BIG if the program would have more than BPF_MAXINSNS instructions. */
int filter_compile(
	struct filter *filter, const struct policy *policy, const struct filter_options *options);
void filter_finish(struct filter *filter);

/*
 * Runs the program as the kernel would (cBPF interpreter): the answer to one call. `*errorp` is the
 * errno for FILTER_ERRNO.
 */
enum filter_answer filter_evaluate(const struct filter *filter, unsigned int arch, int nr,
	const unsigned long long args[6], int *errorp);

/* False for calls that nobody retries (read, close, exit, fork, ...): these are never notified. */
bool filter_may_notify(int nr);
