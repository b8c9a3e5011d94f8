/* SPDX-License-Identifier: Apache-2.0 */
#include "client/given.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/policy/policy.h"
#include "usher/wire.h"

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

static int number_of_fds(void)
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

static int find(const char *name)
{
	int place = place_of(name, getenv("LISTEN_FDNAMES"));

	if (place < 0 || place >= number_of_fds()) {
		(void)fprintf(stderr,
			"usher: the policy gives the socket '%s', and there is none of that name; "
			"name it in a .socket unit: FileDescriptorName=%s\n",
			name, name);
		return -ENOENT;
	}
	return fcntl(FIRST_FD + place, F_SETFD, FD_CLOEXEC) < 0 ? -errno : FIRST_FD + place;
}

int given_find(const struct policy *policy, int *fds, size_t *countp)
{
	const char *name;

	for (*countp = 0; (name = policy_descriptor_name(policy, *countp)); (*countp)++) {
		if (*countp == WIRE_GIVEN_MAX) {
			(void)fprintf(stderr, "usher: the policy names more than %u sockets\n",
				WIRE_GIVEN_MAX);
			return -E2BIG;
		}
		fds[*countp] = find(name);
		if (fds[*countp] < 0) {
			return fds[*countp];
		}
	}
	return 0;
}
