/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify_add_watch: what may be watched, and what is heard of it afterwards.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

/* Events since the last time: mask and name. Those of looking itself are not asked for. */
static void tell_events(struct scene *scene, int watcher)
{
	char data[4096] __attribute__((aligned(8)));
	ssize_t got = read(watcher, data, sizeof(data));

	tell(scene, " events");
	for (ssize_t at = 0; at < got;) {
		const struct inotify_event *event = (const void *)(data + at);

		tell(scene, " %d:%x:%s", event->wd, event->mask, event->len ? event->name : "");
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

static long watch(struct scene *scene, const char *path, unsigned int mask)
{
	cleanup_fd int watcher = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	long result = raw(SYS_inotify_add_watch, watcher, path, mask);

	if (result >= 0 && !chmod("regular", 0600) && !chmod("dir/inner", 0600) &&
		!utimensat(AT_FDCWD, "link", NULL, AT_SYMLINK_NOFOLLOW)) {
		tell_events(scene, watcher);
	}
	return result;
}

static long call_watch(struct scene *scene, int dirfd, const char *path)
{
	(void)dirfd;
	return watch(scene, path, IN_ATTRIB);
}

static long call_watch_link(struct scene *scene, int dirfd, const char *path)
{
	(void)dirfd;
	return watch(scene, path, IN_ATTRIB | IN_DONT_FOLLOW);
}

/* Of nothing; of what no kernel knows. */
static long call_watch_nothing(struct scene *scene, int dirfd, const char *path)
{
	(void)dirfd;
	return watch(scene, path, IN_DONT_FOLLOW);
}

static long call_watch_unknown(struct scene *scene, int dirfd, const char *path)
{
	(void)dirfd;
	return watch(scene, path, IN_ATTRIB | 1u << 20);
}

static const struct path_call calls[] = {
	{"inotify_add_watch", call_watch, EFFECT_NONE, false},
	{"inotify_add_watch-link", call_watch_link, EFFECT_NONE, false},
	{"inotify_add_watch-nothing", call_watch_nothing, EFFECT_NONE, false},
	{"inotify_add_watch-unknown", call_watch_unknown, EFFECT_NONE, false},
};

/* Every kind of event, of files that are opened and changed by calls that go through the broker. */
static void run_events(struct scene *scene)
{
	int watcher = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), fd;

	tell_result(scene, raw(SYS_inotify_add_watch, watcher, "dir", IN_ALL_EVENTS));
	tell_result(scene, raw(SYS_inotify_add_watch, watcher, "regular", IN_ALL_EVENTS));
	tell(scene, " open");
	fd = raw_open("dir/inner", O_RDWR, 0);
	tell_events(scene, watcher);
	tell(scene, " write");
	prepare(scene, write(fd, "x", 1) == 1 && !close(fd));
	tell_events(scene, watcher);
	tell(scene, " truncate");
	truncate("dir/inner", 1);
	tell_events(scene, watcher);
	tell(scene, " chmod");
	chmod("dir/inner", 0600);
	chmod("regular", 0600);
	tell_events(scene, watcher);
	tell(scene, " make");
	mkdir("dir/sub", 0700);
	symlink("x", "dir/new");
	mknod("dir/node", S_IFIFO | 0600, 0);
	link("regular", "dir/linked");
	tell_events(scene, watcher);
	tell(scene, " rename");
	rename("dir/linked", "dir/renamed");
	rename("dir/renamed", "outside");
	tell_events(scene, watcher);
	tell(scene, " remove");
	rmdir("dir/sub");
	unlink("dir/new");
	unlink("outside");
	unlink("regular");
	tell_events(scene, watcher);
	tell(scene, " looks");
	access("dir/inner", R_OK);
	tell_events(scene, watcher);
}

static void run_masks(struct scene *scene)
{
	static const unsigned long masks[] = {0, IN_ATTRIB, IN_ONLYDIR | IN_ATTRIB, IN_MASK_ADD,
		IN_MASK_CREATE | IN_ATTRIB, IN_MASK_ADD | IN_MASK_CREATE | IN_ATTRIB, IN_ONESHOT,
		IN_ISDIR, 1ul << 32 | IN_ATTRIB, 1ul << 32, 0xffffffff, IN_EXCL_UNLINK | IN_OPEN};
	static const char *const names[] = {
		"regular", "dir", "link", "dirlink", "missing", "forbidden"};
	int watcher = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	int pipe_ends[2];

	for (size_t m = 0; m < array_length(masks); m++) {
		for (size_t n = 0; n < array_length(names); n++) {
			tell(scene, " | %lx %s ", masks[m], names[n]);
			tell_result(scene, raw(SYS_inotify_add_watch, watcher, names[n], masks[m]));
		}
	}
	prepare(scene, !pipe(pipe_ends));
	tell(scene, " descriptors ");
	tell_result(scene, raw(SYS_inotify_add_watch, -1, "regular", IN_ATTRIB));
	tell_result(scene, raw(SYS_inotify_add_watch, pipe_ends[0], "regular", IN_ATTRIB));
	tell_result(scene, raw(SYS_inotify_add_watch, pipe_ends[0], "missing", IN_ATTRIB));
	tell_result(
		scene, raw(SYS_inotify_add_watch, raw_open("dir", O_PATH, 0), "dir", IN_ATTRIB));
	tell_result(scene, raw(SYS_inotify_add_watch, eventfd(0, 0), "dir", IN_ATTRIB));
	tell_result(scene, raw(SYS_inotify_add_watch, -1, NULL, 0));
	tell_result(scene, raw(SYS_inotify_add_watch, watcher, NULL, IN_ATTRIB));
	tell(scene, " same watch ");
	tell_result(scene, raw(SYS_inotify_add_watch, watcher, "dir/../regular", IN_OPEN));
	tell_result(scene, raw(SYS_inotify_rm_watch, watcher, 1));
	tell_events(scene, watcher);
}

void cases_watch(struct runner *runner)
{
	cross_path_calls(runner, calls, array_length(calls));
	runner_case(runner, run_events, NULL, "call/inotify/events");
	runner_case(runner, run_masks, NULL, "call/inotify/masks");
}
