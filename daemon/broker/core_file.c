/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/core_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/policy.h"

/* Also if that cannot be told. */
static bool are_files(void)
{
	char first = '\0';
	cleanup_fd int pattern = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);

	return pattern < 0 || read(pattern, &first, 1) != 1 || (first != '|' && first != '@');
}

int core_file_forbid(const struct policy *policy, pid_t process)
{
	const struct rlimit nothing = {0};

	if ((!policy_mediates_file(policy, OPERATION_CREATE) &&
		    !policy_mediates_file(policy, OPERATION_REMOVE)) ||
		!are_files()) {
		return 0;
	}
	return prlimit(process, RLIMIT_CORE, &nothing, NULL) < 0 ? -errno : 0;
}
