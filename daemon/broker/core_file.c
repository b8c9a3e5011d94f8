/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/core_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/policy.h"

#define LIMITS_ROOM 4096u
#define CORE_LINE   "Max core file size" /* of proc_pid_limits(5): the soft and the hard limit */

/* Also if that cannot be told. */
static bool are_files(void)
{
	char first = '\0';
	cleanup_fd int pattern = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);

	return pattern < 0 || read(pattern, &first, 1) != 1 || (first != '|' && first != '@');
}

/* Who could not be limited by us may have done it itself (client/core_limit.h). */
static bool is_forbidden(pid_t process)
{
	char path[64], text[LIMITS_ROOM];
	unsigned long soft, hard;

	(void)snprintf(path, sizeof(path), "/proc/%d/limits", process);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[size < 0 ? 0 : size] = '\0';
	const char *line = strstr(text, CORE_LINE);
	return line && sscanf(line + strlen(CORE_LINE), "%lu %lu", &soft, &hard) == 2 &&
	       soft == 0 && hard == 0;
}

int core_file_forbid(const struct policy *policy, pid_t process)
{
	const struct rlimit nothing = {0};

	if ((!policy_mediates_file(policy, OPERATION_CREATE) &&
		    !policy_mediates_file(policy, OPERATION_REMOVE)) ||
		!are_files()) {
		return 0;
	}
	int error = prlimit(process, RLIMIT_CORE, &nothing, NULL) < 0 ? -errno : 0;
	return error == -EPERM && is_forbidden(process) ? 0 : error;
}
