/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readlink and readlinkat: links of the tree and of /proc, and room that is too small or not there.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

/*
 * A link's text, with what differs from run to run (pids, inodes) left out; its length counts only
 * without them.
 */
static long told(struct scene *scene, long result, char *text)
{
	bool changes = false;

	if (result < 0) {
		return result;
	}
	text[result] = '\0';
	changes = text[0] != '/' || strstr(text, "/#");
	tell(scene, " ");
	for (const char *c = text; *c; c++) {
		if (!changes || !strchr("0123456789", *c)) {
			tell(scene, "%c", *c);
		}
	}
	if (changes && atoi(text)) {
		tell(scene, " own=%d", atoi(text) == getpid());
	}
	return changes ? 0 : result;
}

static long call_readlink(struct scene *scene, int dirfd, const char *path)
{
	char text[PATH_MAX];

	(void)dirfd;
	return told(scene, raw(SYS_readlink, path, text, sizeof(text) - 1), text);
}

static long call_readlinkat(struct scene *scene, int dirfd, const char *path)
{
	char text[PATH_MAX];

	return told(scene, raw(SYS_readlinkat, dirfd, path, text, sizeof(text) - 1), text);
}

static const struct path_call calls[] = {
	{"readlink", call_readlink, EFFECT_NONE, false},
	{"readlinkat", call_readlinkat, EFFECT_NONE, true},
};

static void run_proc(struct scene *scene)
{
	static const char *const names[] = {"/proc/self", "/proc/thread-self", "/proc/self/exe",
		"/proc/self/cwd", "/proc/self/root", "/proc/self/fd/0", "/proc/self/fd/99",
		"/proc/self/ns/user", "/proc/self/task/../cwd", "/dev/fd", "/dev/stdin",
		"/proc/self/fd/1/", "/proc/mounts", "/proc/self/map_files", "/proc/1/exe",
		"/proc/1/cwd", "self/exe", "self/cwd"};
	char text[PATH_MAX], cut[PATH_MAX];

	prepare(scene, !symlink("/proc/self", "self"));
	for (size_t n = 0; n < array_length(names); n++) {
		tell(scene, " | %s ", names[n]);
		tell_result(
			scene, told(scene, raw(SYS_readlink, names[n], text, PATH_MAX - 1), text));
		memset(cut, '#', sizeof(cut));
		tell_result(scene, raw(SYS_readlink, names[n], cut, 3));
		tell(scene, " untouched=%d", cut[3] == '#');
	}
}

static void run_rooms(struct scene *scene)
{
	static const long sizes[] = {0, 1, 6, 7, 8, 4096, 1l << 31, -1, 1l << 32, (1l << 32) + 3};
	static const char *const names[] = {"link", "regular", "missing"};
	char text[8192];

	for (size_t n = 0; n < array_length(names); n++) {
		for (size_t s = 0; s < array_length(sizes); s++) {
			memset(text, '#', sizeof(text));
			tell(scene, " | %s %lx ", names[n], (unsigned long)sizes[s]);
			tell_result(scene, raw(SYS_readlink, names[n], text, sizes[s]));
			tell(scene, " %.9s", text);
		}
		tell_result(scene, raw(SYS_readlink, names[n], NULL, 100));
		tell_result(scene, raw(SYS_readlink, names[n], NULL, 0));
		tell_result(scene, raw(SYS_readlink, names[n], 0xffffffff81000000, 100));
	}
}

/* A text at the end of a page, and one that does not fit before it. */
static void run_page_end(struct scene *scene)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(scene, page != MAP_FAILED && !munmap(page + 4096, 4096));
	for (int before = 0; before < 10; before++) {
		tell(scene, " %d ", before);
		tell_result(scene, raw(SYS_readlink, "link", page + 4096 - before, 100));
		tell(scene, "%.*s", before, page + 4096 - before);
	}
	prepare(scene, !mprotect(page, 4096, PROT_READ));
	tell(scene, " read-only ");
	tell_result(scene, raw(SYS_readlink, "link", page, 100));
	prepare(scene, !mprotect(page, 4096, PROT_WRITE));
	tell(scene, " write-only ");
	tell_result(scene, raw(SYS_readlink, "link", page, 100));
}

/* What a descriptor is called after its file was moved and removed. */
static void run_names(struct scene *scene)
{
	int fd = raw_open("regular", O_RDONLY, 0), place = raw_open("link", O_PATH | O_NOFOLLOW, 0);
	char road[64], text[PATH_MAX];

	snprintf(road, sizeof(road), "/proc/self/fd/%d", fd);
	prepare(scene, !rename("regular", "dir/moved"));
	tell_result(scene, told(scene, raw(SYS_readlink, road, text, PATH_MAX - 1), text));
	prepare(scene, !unlink("dir/moved"));
	tell_result(scene, told(scene, raw(SYS_readlink, road, text, PATH_MAX - 1), text));
	tell(scene, " of the link itself ");
	tell_result(scene, told(scene, raw(SYS_readlinkat, place, "", text, PATH_MAX - 1), text));
	tell_result(scene, told(scene, raw(SYS_readlinkat, fd, "", text, PATH_MAX - 1), text));
}

void cases_readlink(struct runner *runner)
{
	cross_path_calls(runner, calls, array_length(calls));
	runner_case(runner, run_proc, NULL, "call/readlink/own-proc");
	runner_case(runner, run_rooms, NULL, "call/readlink/rooms");
	runner_case(runner, run_page_end, NULL, "call/readlink/page-end");
	runner_case(runner, run_names, NULL, "call/readlink/names");
}
