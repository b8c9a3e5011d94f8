/* SPDX-License-Identifier: Apache-2.0 */
#include "client/given.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

int given_passed(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	/* They may be for somebody else, who has started us in his turn. */
	return pid && count && strtol(pid, NULL, 10) == getpid() ? (int)strtol(count, NULL, 10) : 0;
}

/* The place of `name` among the names, which colons part; -ENOENT. */
static int place_of(const char *name, const char *names)
{
	size_t length = strlen(name);

	for (int place = 0; names; place++) {
		if (strncmp(names, name, length) == 0 && strchr(":", names[length])) {
			return place;
		}
		names = strchr(names, ':');
		names = names ? names + 1 : NULL;
	}
	return -ENOENT;
}

int given_find(int passed, struct string_pack names, int *fds, const char **missing)
{
	const char *name = names.text;

	for (size_t i = 0; i < names.count; i++, name += strlen(name) + 1) {
		int place = place_of(name, getenv("LISTEN_FDNAMES"));

		if (place < 0 || place >= passed) {
			*missing = name;
			return -ENOENT;
		}
		fds[i] = FIRST_FD + place;
		if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) < 0) {
			*missing = name;
			return -errno;
		}
	}
	return 0;
}
