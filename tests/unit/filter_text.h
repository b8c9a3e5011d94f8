/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter of a policy's text, and what it answers. To be included after <cmocka.h>.
 */
#pragma once

#include <linux/audit.h>
#include <seccomp.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter.h"
#include "tests/unit/policy_text.h"

static inline struct filter filter_of(const char *text, bool targets_are_root)
{
	cleanup_policy struct policy *policy = policy_text(text);
	const struct filter_options options = {.targets_are_root = targets_are_root};
	struct filter filter;

	assert_int_equal(filter_compile(&filter, policy, &options), 0);
	assert_in_range(filter.count, 1, BPF_MAXINSNS);
	return filter;
}

/* The answer as one number: an errno, or one of these. */
enum { ALLOWED = -1, NOTIFIED = -2, KILLED = -3 };

static inline int ask(const struct filter *filter, int nr, const unsigned long long args[6])
{
	int error;

	switch (filter_evaluate(filter, AUDIT_ARCH_X86_64, nr, args, &error)) {
	case FILTER_ALLOW:
		return ALLOWED;
	case FILTER_NOTIFY:
		return NOTIFIED;
	case FILTER_ERRNO:
		return error;
	default:
		return KILLED;
	}
}
#define ASK(filter, name, ...) ask(filter, SCMP_SYS(name), (unsigned long long[6]){__VA_ARGS__})

/* Above the 32 bits that the kernel reads of an argument. */
#define RUBBISH 0xdeadbeef00000000ull
