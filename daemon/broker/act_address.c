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

/* The socket's descriptor: that of the place, if it is pinned already, or one of `exact`. */
static int pin_socket(struct exact_address *exact, const struct place *place)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_NO_SYMLINKS | (place->is_bound ? RESOLVE_NO_XDEV : 0)};

	if (place->error) {
		return -place->error;
	}
	if (place->kind == PLACE_OBJECT) {
		return place->object;
	}
	exact->pinned = (int)syscall(SYS_openat2, place->directory, place->name, &how, sizeof(how));
	return exact->pinned < 0 ? -errno : exact->pinned;
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
	int socket = pin_socket(exact, &request->place);
	if (socket < 0) {
		return socket;
	}
	(void)snprintf(
		exact->path.sun_path, sizeof(exact->path.sun_path), "/proc/self/fd/%d", socket);
	exact->name = (const struct sockaddr *)&exact->path;
	exact->length = sizeof(exact->path);
	return 0;
}

void exact_address_finish(struct exact_address *exact)
{
	close_fd(&exact->pinned);
}
