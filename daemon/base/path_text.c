/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base/path_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool name_is_below(const char *name, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(name, directory, length) == 0 && (name[length] == '/' || !name[length]);
}

const char *name_rest(const char *name, const char *path)
{
	if (strcmp(path, "/") == 0) {
		return strcmp(name, "/") == 0 ? "" : name;
	}
	return name_is_below(name, path) ? name + strlen(path) : NULL;
}

int name_join(char *name, size_t capacity, const char *path, const char *rest)
{
	int length =
		snprintf(name, capacity, "%s%s", strcmp(path, "/") == 0 && *rest ? "" : path, rest);

	return length < 0 || (size_t)length >= capacity ? -ENAMETOOLONG : 0;
}
