/* SPDX-License-Identifier: Apache-2.0 */
/* How many descriptors this process has open: what a call must leave as it was. */
#pragma once

#include <dirent.h>

static inline unsigned int descriptors_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (directory && readdir(directory)) {
		count++;
	}
	if (directory) {
		closedir(directory);
	}
	return count;
}
