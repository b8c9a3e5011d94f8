/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of the calling process: getrlimit(2). */
#pragma once

#include <errno.h>
#include <sys/resource.h>

/* As much of the resource, one of RLIMIT_*, as may be had. 0 or a negative errno. */
static inline int limit_to_most(__rlimit_resource_t resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0) {
		return -errno;
	}
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}
