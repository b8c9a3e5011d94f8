/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can a session that runs under one policy's filter go on under another policy? A loaded filter
 * cannot be taken off or changed, so each answer that the other policy wants of the kernel must be
 * the one that the filter gives; only where it would let a call pass may the filter notify it, for
 * then the broker lets it pass.
 */
#pragma once

struct filter_options;
struct policy;

#define FILTER_FOLLOW_REASON_MAX 192u

enum filter_follow { FILTER_FOLLOWS = 0, FILTER_DIFFERS = 1 };

/*
 * A pure function of the two policies. FILTER_DIFFERS has the first reason in `reason`. -ENOMEM,
 * or another negative errno if a policy cannot be made a plan.
 */
int filter_follow(const struct policy *running, const struct policy *wanted,
	const struct filter_options *options, char reason[FILTER_FOLLOW_REASON_MAX]);
