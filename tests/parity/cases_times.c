/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utime, utimes, futimesat, utimensat: what times are set, and by whom. A time of now is told as
 * "now", others in full.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

static const struct utimbuf seconds = {.actime = 1111, .modtime = 2222};
static const struct timeval micro[2] = {{1111, 1}, {2222, 999999}};
static const struct timespec nano[2] = {{1111, 1}, {2222, 999999999}};

static void tell_time(struct scene *scene, struct timespec time)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec - time.tv_sec >= 0 && now.tv_sec - time.tv_sec < 100) {
		tell(scene, " now");
	} else {
		tell(scene, " %lld.%09ld", (long long)time.tv_sec, time.tv_nsec);
	}
}

static void tell_times(struct scene *scene, const char *path)
{
	struct stat st;

	if (lstat(path, &st)) {
		tell(scene, " lstat %s", observe_errno(errno));
		return;
	}
	tell_time(scene, st.st_atim);
	tell_time(scene, st.st_mtim);
}

/* A case's result, and what it did to the files that most names lead to. */
static long told(struct scene *scene, long result)
{
	if (result >= 0) {
		tell_times(scene, "regular");
		tell_times(scene, "link");
		tell_times(scene, "dir/inner");
	}
	return result;
}

static long call_utime(struct scene *scene, int dirfd, const char *path)
{
	(void)dirfd;
	return told(scene, raw(SYS_utime, path, &seconds));
}

static long call_utimes(struct scene *scene, int dirfd, const char *path)
{
	(void)dirfd;
	return told(scene, raw(SYS_utimes, path, micro));
}

static long call_utimes_now(struct scene *scene, int dirfd, const char *path)
{
	(void)dirfd;
	return told(scene, raw(SYS_utimes, path, NULL));
}

static long call_futimesat(struct scene *scene, int dirfd, const char *path)
{
	return told(scene, raw(SYS_futimesat, dirfd, path, micro));
}

static long call_utimensat(struct scene *scene, int dirfd, const char *path)
{
	return told(scene, raw(SYS_utimensat, dirfd, path, nano, 0));
}

static long call_utimensat_now(struct scene *scene, int dirfd, const char *path)
{
	return told(scene, raw(SYS_utimensat, dirfd, path, NULL, 0));
}

static long call_nofollow(struct scene *scene, int dirfd, const char *path)
{
	return told(scene, raw(SYS_utimensat, dirfd, path, nano, AT_SYMLINK_NOFOLLOW));
}

static long call_empty(struct scene *scene, int dirfd, const char *path)
{
	return told(scene, raw(SYS_utimensat, dirfd, path, nano, AT_EMPTY_PATH));
}

static const struct path_call calls[] = {
	{"utime", call_utime, EFFECT_OBJECT, false},
	{"utimes", call_utimes, EFFECT_OBJECT, false},
	{"utimes-now", call_utimes_now, EFFECT_OBJECT, false},
	{"futimesat", call_futimesat, EFFECT_OBJECT, true},
	{"utimensat", call_utimensat, EFFECT_OBJECT, true},
	{"utimensat-now", call_utimensat_now, EFFECT_OBJECT, true},
	{"utimensat-nofollow", call_nofollow, EFFECT_OBJECT, true},
	{"utimensat-empty", call_empty, EFFECT_OBJECT, true},
};

/* Each time by itself, as owner, as another who may write, and as one who may not. */
static void run_values(struct scene *scene)
{
	static const struct timespec values[][2] = {
		{{0, UTIME_NOW}, {0, UTIME_NOW}},
		{{0, UTIME_OMIT}, {0, UTIME_OMIT}},
		{{0, UTIME_NOW}, {0, UTIME_OMIT}},
		{{0, UTIME_OMIT}, {0, UTIME_NOW}},
		{{5, 5}, {0, UTIME_OMIT}},
		{{0, UTIME_OMIT}, {5, 5}},
		{{5, 5}, {0, UTIME_NOW}},
		{{99, UTIME_NOW}, {-1, UTIME_OMIT}},
		{{0, 0}, {0, 0}},
		{{-1, 0}, {-1000000, 5}},
		{{5, 1000000000}, {5, 0}},
		{{5, 0}, {5, -1}},
		{{LONG_MAX, 0}, {LONG_MIN, 0}},
		{{1l << 33, 0}, {1l << 35, 0}},
	};
	static const char *const names[] = {
		"regular", "readonly", "dir", "link", "writeonly", "missing"};
	const int *by_other = scene->data;
	struct stage *stage = stage_new(scene);
	bool drops = *by_other && geteuid() == 0;

	for (size_t i = 0; i < array_length(values) * array_length(names); i++) {
		const char *name = names[i % array_length(names)];

		stage_enter(stage);
		if (drops) {
			prepare(scene, !chmod("regular", 0666) && !seteuid(12345));
		}
		tell(scene, " | %zu %s ", i / array_length(names), name);
		tell_result(scene,
			raw(SYS_utimensat, AT_FDCWD, name, values[i / array_length(names)], 0));
		tell_result(scene, raw(SYS_utimensat, AT_FDCWD, name,
					   values[i / array_length(names)], AT_SYMLINK_NOFOLLOW));
		tell_times(scene, name);
		if (drops) {
			prepare(scene, !seteuid(0));
		}
		stage_tell(stage);
	}
	free(stage);
}

/* Pointers to times, and calls without a name. */
static void run_pointers(struct scene *scene)
{
	static const struct timeval bad[2] = {{5, 1000000}, {5, 0}},
				    negative[2] = {{5, -1}, {5, 0}};
	static const struct timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
	int fd = raw_open("regular", O_RDONLY, 0), place = raw_open("regular", O_PATH, 0);

	tell_result(scene, raw(SYS_utimensat, AT_FDCWD, "regular", 8, 0));
	tell_result(scene, raw(SYS_utimensat, AT_FDCWD, "missing", 8, 0));
	tell_result(scene, raw(SYS_utimensat, AT_FDCWD, "missing", omit, 0));
	tell_result(scene, raw(SYS_utimensat, -1, "missing", omit, 64));
	tell_result(scene, raw(SYS_utimensat, AT_FDCWD, "regular", nano, 1));
	tell_result(scene, raw(SYS_utimensat, AT_FDCWD, "regular", nano, AT_SYMLINK_FOLLOW));
	tell_result(scene, raw(SYS_utime, "regular", 8));
	tell_result(scene, raw(SYS_utimes, "regular", 8));
	tell_result(scene, raw(SYS_utimes, "regular", bad));
	tell_result(scene, raw(SYS_utimes, "missing", negative));
	tell_result(scene, raw(SYS_futimesat, AT_FDCWD, "regular", bad));
	tell(scene, " by descriptor ");
	tell_result(scene, raw(SYS_utimensat, fd, NULL, nano, 0));
	tell_times(scene, "regular");
	tell_result(scene, raw(SYS_futimesat, fd, NULL, NULL));
	tell_times(scene, "regular");
	tell_result(scene, raw(SYS_utimensat, fd, NULL, nano, AT_SYMLINK_NOFOLLOW));
	tell_result(scene, raw(SYS_utimensat, fd, NULL, nano, AT_EMPTY_PATH));
	tell_result(scene, raw(SYS_utimensat, place, NULL, nano, 0));
	tell_result(scene, raw(SYS_utimensat, AT_FDCWD, NULL, nano, 0));
	tell_result(scene, raw(SYS_utimensat, -1, NULL, NULL, 0));
	tell_result(scene, raw(SYS_utime, NULL, NULL));
	tell_result(scene, raw(SYS_utimes, NULL, micro));
	tell_times(scene, "regular");
}

void cases_times(struct runner *runner)
{
	static const int by_whom[] = {0, 1};

	cross_path_calls(runner, calls, array_length(calls));
	for (size_t i = 0; i < array_length(by_whom); i++) {
		runner_case(runner, run_values, &by_whom[i], "call/utimensat/values%s",
			by_whom[i] ? "/by-other" : "");
	}
	runner_case(runner, run_pointers, NULL, "call/utimensat/times");
}
