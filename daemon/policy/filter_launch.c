/* SPDX-License-Identifier: Apache-2.0 */
/* See filter_launch.h. */
#include "daemon/policy/filter_launch.h"

#include <seccomp.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter.h"

static const struct {
	int nr;
	const char *name;
} needed[] = {
	{SCMP_SYS(futex), "futex"},
	{SCMP_SYS(execve), "execve"},
};

const char *filter_launch_obstacle(const struct filter *filter)
{
	const unsigned long long args[6] = {0};

	for (size_t i = 0; i < array_length(needed); i++) {
		int error;

		if (filter_evaluate(filter, seccomp_arch_native(), needed[i].nr, args, &error) !=
			FILTER_ALLOW) {
			return needed[i].name;
		}
	}
	return NULL;
}
