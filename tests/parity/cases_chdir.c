/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chdir: where one stands afterwards, seen by getcwd, by relative names and by other threads.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

static void tell_place(struct scene *scene)
{
	char place[PATH_MAX] = "";
	long length = raw(SYS_getcwd, place, sizeof(place));

	if (length < 0) {
		tell(scene, " getcwd %s", observe_errno((int)-length));
	} else if (strstr(place, "/proc/")) {
		tell(scene, " in /proc");
	} else {
		tell(scene, " %s", place);
	}
}

static long call_chdir(struct scene *scene, int dirfd, const char *path)
{
	long result = raw(SYS_chdir, path);
	struct stat st;

	(void)dirfd;
	if (result == 0) {
		tell_place(scene);
		tell(scene, " regular=%d inner=%d", stat("regular", &st), stat("inner", &st));
	}
	return result;
}

static const struct path_call calls[] = {
	{"chdir", call_chdir, EFFECT_NONE, false},
};

static void *moving_thread(void *pointer)
{
	struct scene *scene = pointer;

	tell_result(scene, raw(SYS_chdir, "dir"));
	return NULL;
}

static void *parting_thread(void *pointer)
{
	struct scene *scene = pointer;

	prepare(scene, !unshare(CLONE_FS));
	return moving_thread(scene);
}

/* A working directory is shared by threads, unless they have parted; a child has its own. */
static void run_threads(struct scene *scene)
{
	pthread_t thread;
	pid_t pid;

	prepare(scene, !pthread_create(&thread, NULL, parting_thread, scene));
	pthread_join(thread, NULL);
	tell_place(scene);
	prepare(scene, !pthread_create(&thread, NULL, moving_thread, scene));
	pthread_join(thread, NULL);
	tell_place(scene);
	pid = fork();
	if (pid == 0) {
		_exit((int)-raw(SYS_chdir, ".."));
	}
	prepare(scene, pid > 0 && waitpid(pid, NULL, 0) == pid);
	tell_place(scene);
	tell(scene, " relative ");
	tell_fd(scene, raw_open("inner", O_RDONLY, 0));
	tell_result(scene, raw(SYS_chdir, ".."));
	tell_fd(scene, raw_open("regular", O_RDONLY, 0));
}

/* Back and forth, by name and by descriptor. */
static void run_sequence(struct scene *scene)
{
	static const char *const names[] = {"dir", "..", "dirlink", "../sticky", "/", "/proc/self",
		"fd", "/proc/self/cwd", "/tmp/../dev"};
	int here = raw_open(".", O_RDONLY, 0);

	for (size_t i = 0; i < array_length(names); i++) {
		tell(scene, " %s ", names[i]);
		tell_result(scene, raw(SYS_chdir, names[i]));
		tell_place(scene);
	}
	tell(scene, " fchdir ");
	tell_result(scene, raw(SYS_fchdir, here));
	tell_place(scene);
	tell_result(scene, raw(SYS_fchdir, raw_open("dir", O_PATH, 0)));
	tell_place(scene);
	tell_result(scene, raw(SYS_fchdir, raw_open("inner", O_RDONLY, 0)));
	tell_result(scene, raw(SYS_chdir, "inner"));
	tell_result(scene, raw(SYS_chdir, NULL));
	tell_place(scene);
}

void cases_chdir(struct runner *runner)
{
	cross_path_calls(runner, calls, array_length(calls));
	runner_case(runner, run_threads, NULL, "call/chdir/threads");
	runner_case(runner, run_sequence, NULL, "call/chdir/sequence");
}
