/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The longest part of the path that exists is resolved, and the rest put behind it: a rule on
 * /var/run/x.sock is meant for a socket that may not be there yet, while /var/run is.
 */
#include "daemon/policy/lint_resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"

char *lint_resolve(const char *path, size_t length)
{
	cleanup_free char *name = strndup(path, length);
	cleanup_free char *resolved = NULL;
	char *whole = NULL, *slash;
	size_t end = length;

	if (!name || length < 2 || !strncmp(path, "/proc/", 6)) {
		return NULL;
	}
	while (!(resolved = realpath(name, NULL)) && (errno == ENOENT || errno == ENOTDIR)) {
		slash = strrchr(name, '/');
		if (slash == name) {
			return NULL;
		}
		*slash = '\0';
		end = (size_t)(slash - name);
	}
	if (!resolved || !strcmp(resolved, name) ||
		asprintf(&whole, "%s%.*s", resolved, (int)(length - end), path + end) < 0) {
		return NULL;
	}
	return whole;
}
