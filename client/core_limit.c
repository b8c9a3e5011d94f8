/* SPDX-License-Identifier: Apache-2.0 */
#include "client/core_limit.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

static bool has_mixed_ids(void)
{
	uid_t uid, euid, suid;
	gid_t gid, egid, sgid;

	return getresuid(&uid, &euid, &suid) < 0 || getresgid(&gid, &egid, &sgid) < 0 ||
	       uid != euid || uid != suid || gid != egid || gid != sgid;
}

int core_limit_if_mixed(void)
{
	const struct rlimit nothing = {0};

	return has_mixed_ids() && setrlimit(RLIMIT_CORE, &nothing) < 0 ? -errno : 0;
}
