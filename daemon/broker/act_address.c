/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/act_address.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/request.h"

static int pin_socket(const struct place *place)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_NO_SYMLINKS | (place->is_bound ? RESOLVE_NO_XDEV : 0)};

	if (place->error) {
		return -place->error;
	}
	int pinned = place->kind == PLACE_OBJECT ? fcntl(place->object, F_DUPFD_CLOEXEC, 0)
						 : (int)syscall(SYS_openat2, place->directory,
							   place->name, &how, sizeof(how));
	return pinned < 0 ? -errno : pinned;
}

int exact_address_init(struct exact_address *exact, const struct request *request)
{
	const struct address_request *address = &request->address;

	*exact = (struct exact_address){.pinned = -1, .path.sun_family = AF_UNIX};
	if (address->endpoint.kind != ENDPOINT_UNIX_PATH || address->is_redirected) {
		exact->name = address->is_named ? &address->name.any : NULL;
		exact->length = address->length;
		return 0;
	}
	exact->pinned = pin_socket(&request->place);
	if (exact->pinned < 0) {
		return exact->pinned;
	}
	(void)snprintf(exact->path.sun_path, sizeof(exact->path.sun_path), "/proc/self/fd/%d",
		exact->pinned);
	exact->name = (const struct sockaddr *)&exact->path;
	exact->length = sizeof(exact->path);
	return 0;
}

void exact_address_finish(struct exact_address *exact)
{
	close_fd(&exact->pinned);
}
