/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/service.h"

#define NAME_MAX_LENGTH 64

struct store_sync {
	uv_poll_t poll;
	int pipe; /* its other end is with the manager, until it comes to it */
	void (*done)(void *owner);
	void *owner;
};

void store_init(struct store *store)
{
	const char *room = getenv("FDSTORE");

	*store = (struct store){.room = room ? (unsigned int)strtoul(room, NULL, 10) : 0};
	store->is_there = service_kind() != SERVICE_NONE && store->room > 0;
}

void store_renew(struct store *store)
{
	store->used = 0;
	store->is_there = service_kind() != SERVICE_NONE && store->room > 0;
}

void store_inherit(struct store *store)
{
	store->used++;
}

/* It does not look whether it is still good (FDPOLL): who counts is also the one who removes. */
int store_put(struct store *store, const char *name, int fd)
{
	char text[NAME_MAX_LENGTH + 64];

	if (!store->is_there) {
		return 0;
	}
	if (store->used >= store->room) {
		return -ENOSPC;
	}
	(void)snprintf(
		text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%.*s", NAME_MAX_LENGTH, name);
	int result = service_say(text, &fd, 1);
	if (result == 0) {
		store->used++;
	}
	return result;
}

void store_remove(struct store *store, const char *name)
{
	char text[NAME_MAX_LENGTH + 64];

	if (!store->is_there) {
		return;
	}
	(void)snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%.*s", NAME_MAX_LENGTH, name);
	(void)service_say(text, NULL, 0);
	assert(store->used > 0);
	store->used--;
}

static void on_closed(uv_handle_t *handle)
{
	free(container_of((uv_poll_t *)handle, struct store_sync, poll));
}

static void end(struct store_sync *sync)
{
	uv_close((uv_handle_t *)&sync->poll, on_closed);
	close_fd(&sync->pipe);
}

static void on_heard(uv_poll_t *poll, int status, int events)
{
	struct store_sync *sync = container_of(poll, struct store_sync, poll);

	(void)status;
	(void)events;
	end(sync);
	sync->done(sync->owner);
}

/* The manager closes the end that it gets: then it has heard all that came before. */
static int ask(int *reader)
{
	int pair[2] = {-1, -1};

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0) {
		return -errno;
	}
	cleanup_fd int ours = pair[0];
	cleanup_fd int theirs = pair[1];
	int result = service_say("BARRIER=1", &theirs, 1);
	if (result == 0) {
		*reader = steal_fd(&ours);
	}
	return result;
}

int store_sync(struct store *store, struct store_sync **syncp, uv_loop_t *loop,
	void (*done)(void *owner), void *owner)
{
	cleanup_fd int reader = -1;

	if (!store->is_there) {
		return 1;
	}
	int result = ask(&reader);
	if (result < 0) {
		return result;
	}
	struct store_sync *sync = calloc(1, sizeof(*sync));
	if (!sync) {
		return -ENOMEM;
	}
	result = uv_poll_init(loop, &sync->poll, reader);
	if (result < 0) {
		free(sync);
		return result;
	}
	sync->pipe = steal_fd(&reader);
	sync->done = done;
	sync->owner = owner;
	result = uv_poll_start(&sync->poll, UV_READABLE | UV_DISCONNECT, on_heard);
	if (result < 0) {
		end(sync);
		return result;
	}
	*syncp = sync;
	return 0;
}

void store_sync_forget(struct store_sync *sync)
{
	if (sync) {
		end(sync);
	}
}
