/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/decode_place.h"

#include <fcntl.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

void decode_place_clear(struct place *place)
{
	place->start = place->root = -1;
	place->directory = place->object = -1;
	place->directory_owned = false;
	place->error = 0;
	place->nameless = place->unknown = place->is_bound = place->is_mount_point = false;
	place->path[0] = '\0';
}

int decode_place(const struct broker *broker, const struct request *request, struct place *place,
	bool absolute, int dirfd)
{
	if (broker_knows(broker, SESSION_ROOTS_VARY)) {
		place->root = target_open_root(request->tid);
		if (place->root < 0) {
			return place->root;
		}
	}
	if (absolute) {
		return 0;
	}
	place->start = dirfd == AT_FDCWD ? target_open_cwd(request->tid)
					 : target_open_fd(request->tid, dirfd);
	return place->start < 0 ? place->start : 0;
}

void decode_place_release(struct place *place)
{
	close_fd(&place->start);
	close_fd(&place->root);
}
