/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/device_name.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int device_name(const struct stat *device, char *name, size_t capacity)
{
	char path[64], link[PATH_MAX];

	(void)snprintf(path, sizeof(path), "/sys/dev/%s/%u:%u",
		S_ISCHR(device->st_mode) ? "char" : "block", major(device->st_rdev),
		minor(device->st_rdev));
	ssize_t length = readlink(path, link, sizeof(link) - 1);
	if (length < 0) {
		return -errno;
	}
	link[length] = '\0';
	const char *last = strrchr(link, '/');
	length = snprintf(name, capacity, "/dev/%s", last ? last + 1 : link);
	if ((size_t)length >= capacity) {
		return -ENAMETOOLONG;
	}
	for (char *mark = strchr(name, '!'); mark; mark = strchr(mark, '!')) {
		*mark = '/';
	}
	return 0;
}
