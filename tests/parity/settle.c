/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/parity/settle.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/common/raw.h"

#define SETTLE_US 150000
#define LOOK_US   1000
#define TURNS     20

/* "PID (NAME) STATE ...": one whose call a broker has received sleeps as if by a disk. */
static bool is_asleep(pid_t pid)
{
	char path[32], text[128] = "";

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	cleanup_fd int fd = raw_open(path, O_RDONLY | O_CLOEXEC, 0);
	const char *end =
		fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 ? strrchr(text, ')') : NULL;

	return end && strncmp(end, ") R", 3) != 0;
}

void settle_asleep(pid_t pid)
{
	while (!is_asleep(pid)) {
		usleep(LOOK_US);
	}
}

void settle(void)
{
	usleep(SETTLE_US);
	for (int i = 0; i < TURNS; i++) {
		close(raw_open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
		usleep(LOOK_US);
	}
}
