/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base/control_path.h"

#include <stdio.h>
#include <string.h>

#define SOCKET_SUFFIX ".sock"

char *control_path(const char *socket_path)
{
	size_t length = strlen(socket_path), suffix = strlen(SOCKET_SUFFIX);
	char *path = NULL;

	if (length > suffix && strcmp(socket_path + length - suffix, SOCKET_SUFFIX) == 0) {
		length -= suffix;
	}
	return asprintf(&path, "%.*s.control", (int)length, socket_path) < 0 ? NULL : path;
}
