/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/dns_upstream.h"

#include <ares.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "daemon/base/cleanup.h"

#define ASKERS_MAX 64u /* of one question */

/*
 * So long a server is waited for before the next is asked, and twice as long in the second round.
 * Who asks us may wait no longer than that (timeout:1), or would have asked all of them at once: in
 * the five seconds that c-ares takes by itself he has given up.
 */
#define TRY_MS 1000
#define TRIES  3

/* One of c-ares' sockets. */
struct watched {
	LIST_ENTRY(watched) entry;
	uv_poll_t poll;
	struct dns_upstream *upstream;
	ares_socket_t fd;
};

struct inquiry {
	LIST_ENTRY(inquiry) entry;
	struct dns_upstream *upstream;
	char name[POLICY_NAME_MAX + 1];
	int type;
	size_t asker_count;
	struct {
		dns_upstream_done *done;
		void *user;
	} askers[ASKERS_MAX];
};

struct dns_upstream {
	uv_loop_t *loop;
	const char *resolv_conf;
	struct stat seen; /* of resolv.conf, when it was read */
	ares_channel channel;
	bool has_channel;
	uv_timer_t timer; /* the next time that c-ares wants to look at the clock */
	LIST_HEAD(, watched) watched;
	LIST_HEAD(, inquiry) inquiries;
	size_t inquiry_count;
};

/* ---- c-ares on the loop ---- */

static void on_timer(uv_timer_t *timer);

static void set_timer(struct dns_upstream *upstream)
{
	struct timeval room;
	const struct timeval *next = ares_timeout(upstream->channel, NULL, &room);

	if (!next) {
		uv_timer_stop(&upstream->timer);
		return;
	}
	uint64_t delay = (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1;
	uv_timer_start(&upstream->timer, on_timer, delay, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct dns_upstream *upstream = container_of(timer, struct dns_upstream, timer);

	ares_process_fd(upstream->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(upstream);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watched *watched = container_of(poll, struct watched, poll);
	struct dns_upstream *upstream = watched->upstream;
	ares_socket_t fd = watched->fd;
	bool failed = status < 0; /* c-ares finds out why */

	ares_process_fd(upstream->channel, failed || (events & UV_READABLE) ? fd : ARES_SOCKET_BAD,
		failed || (events & UV_WRITABLE) ? fd : ARES_SOCKET_BAD);
	set_timer(upstream);
}

static void on_watched_closed(uv_handle_t *handle)
{
	free(container_of((uv_poll_t *)handle, struct watched, poll));
}

static struct watched *find_watched(struct dns_upstream *upstream, ares_socket_t fd)
{
	struct watched *watched;

	LIST_FOREACH(watched, &upstream->watched, entry)
	{
		if (watched->fd == fd) {
			return watched;
		}
	}
	watched = calloc(1, sizeof(*watched));
	if (!watched || uv_poll_init(upstream->loop, &watched->poll, fd) < 0) {
		free(watched);
		return NULL; /* the question will time out */
	}
	watched->upstream = upstream;
	watched->fd = fd;
	LIST_INSERT_HEAD(&upstream->watched, watched, entry);
	return watched;
}

/* c-ares closes the socket as soon as this returns from telling that it wants nothing of it. */
static void on_socket_state(void *user, ares_socket_t fd, int readable, int writable)
{
	struct watched *watched = find_watched(user, fd);

	if (!watched) {
		return;
	}
	if (readable || writable) {
		uv_poll_start(&watched->poll,
			(readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_ready);
		return;
	}
	LIST_REMOVE(watched, entry);
	uv_close((uv_handle_t *)&watched->poll, on_watched_closed);
}

/* "options ... use-vc": the one that c-ares does not look for. */
static bool asks_by_streams(const char *resolv_conf)
{
	cleanup_file FILE *file = fopen(resolv_conf, "re");
	char line[256];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		char *rest = NULL;
		char *word = strtok_r(line, " \t\n", &rest);
		bool are_options = word && strcmp(word, "options") == 0;
		while (are_options && !found && (word = strtok_r(NULL, " \t\n", &rest))) {
			found = strcmp(word, "use-vc") == 0;
		}
	}
	return found;
}

static int open_channel(struct dns_upstream *upstream)
{
	bool by_streams = asks_by_streams(upstream->resolv_conf);
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
			 (by_streams ? ARES_FLAG_USEVC : 0),
		.timeout = TRY_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = upstream,
		.lookups = "b",
	};
	int result = ares_init_options(&upstream->channel, &options,
		ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
			ARES_OPT_LOOKUPS);

	upstream->has_channel = result == ARES_SUCCESS;
	return upstream->has_channel ? 0 : result == ARES_ENOMEM ? -ENOMEM : -EIO;
}

/* Whoever waits for an answer of the old servers is told that there is none, and asks again. */
static int refresh(struct dns_upstream *upstream)
{
	struct stat st = {0};

	(void)stat(upstream->resolv_conf, &st);
	if (upstream->has_channel && st.st_ino == upstream->seen.st_ino &&
		st.st_size == upstream->seen.st_size &&
		st.st_mtim.tv_sec == upstream->seen.st_mtim.tv_sec &&
		st.st_mtim.tv_nsec == upstream->seen.st_mtim.tv_nsec) {
		return 0;
	}
	upstream->seen = st;
	if (upstream->has_channel) {
		upstream->has_channel = false;
		uv_timer_stop(&upstream->timer);
		ares_destroy(upstream->channel);
	}
	return open_channel(upstream);
}

int dns_upstream_new(struct dns_upstream **upstreamp, uv_loop_t *loop, const char *resolv_conf)
{
	struct dns_upstream *upstream = calloc(1, sizeof(*upstream));

	if (!upstream || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
		free(upstream);
		return -ENOMEM;
	}
	upstream->loop = loop;
	upstream->resolv_conf = resolv_conf;
	LIST_INIT(&upstream->watched);
	LIST_INIT(&upstream->inquiries);
	int error = uv_timer_init(loop, &upstream->timer);
	*upstreamp = upstream; /* for the life of the broker, also if that is short */
	return error < 0 ? error : refresh(upstream);
}

/* ---- questions ---- */

static void on_answer(void *user, int status, int timeouts, unsigned char *bytes, int size)
{
	struct inquiry *inquiry = user;
	cleanup_free struct dns_answer *answer = bytes ? malloc(sizeof(*answer)) : NULL;

	(void)status; /* the message says it */
	(void)timeouts;
	bool is_read = answer && dns_answer_read(answer, inquiry->name, inquiry->type, bytes,
					 (size_t)size) == 0;
	LIST_REMOVE(inquiry, entry);
	inquiry->upstream->inquiry_count--;
	for (size_t i = 0; i < inquiry->asker_count; i++) {
		inquiry->askers[i].done(inquiry->askers[i].user, is_read ? answer : NULL);
	}
	free(inquiry);
}

static struct inquiry *find_inquiry(struct dns_upstream *upstream, const char *name, int type)
{
	struct inquiry *inquiry;

	LIST_FOREACH(inquiry, &upstream->inquiries, entry)
	{
		if (inquiry->type == type && strcmp(inquiry->name, name) == 0) {
			return inquiry;
		}
	}
	return NULL;
}

static int add_asker(struct inquiry *inquiry, dns_upstream_done *done, void *user)
{
	if (inquiry->asker_count == ASKERS_MAX) {
		return -EAGAIN;
	}
	inquiry->askers[inquiry->asker_count].done = done;
	inquiry->askers[inquiry->asker_count++].user = user;
	return 0;
}

int dns_upstream_ask(struct dns_upstream *upstream, const char *name, int type,
	dns_upstream_done *done, void *user)
{
	int error = refresh(upstream);

	if (error < 0) {
		return error;
	}
	struct inquiry *inquiry = find_inquiry(upstream, name, type);
	if (inquiry) {
		return add_asker(inquiry, done, user);
	}
	if (upstream->inquiry_count == DNS_UPSTREAM_MAX) {
		return -EAGAIN;
	}
	inquiry = calloc(1, sizeof(*inquiry));
	if (!inquiry) {
		return -ENOMEM;
	}
	inquiry->upstream = upstream;
	inquiry->type = type;
	memcpy(inquiry->name, name, strlen(name) + 1);
	(void)add_asker(inquiry, done, user);
	LIST_INSERT_HEAD(&upstream->inquiries, inquiry, entry);
	upstream->inquiry_count++;
	ares_query(upstream->channel, name, ns_c_in, type, on_answer, inquiry);
	set_timer(upstream);
	return 0;
}
