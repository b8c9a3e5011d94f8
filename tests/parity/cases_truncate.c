/* SPDX-License-Identifier: Apache-2.0 */
/*
 * truncate: lengths, modes, what is running or sealed.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

static long call_shorter(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_truncate, path, 2);
}

static long call_longer(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_truncate, path, 10000);
}

static long call_negative(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_truncate, path, -1);
}

static const struct path_call calls[] = {
	{"truncate-shorter", call_shorter, EFFECT_OBJECT, false},
	{"truncate-longer", call_longer, EFFECT_OBJECT, false},
	{"truncate-negative", call_negative, EFFECT_OBJECT, false},
};

static void run_lengths(struct scene *scene)
{
	static const long lengths[] = {
		0, 1, 6, 7, 4096, 1l << 40, LONG_MAX, LONG_MIN, 1l << 63 >> 1, -2};
	struct stage *stage = stage_new(scene);

	for (size_t i = 0; i < array_length(lengths); i++) {
		stage_enter(stage);
		tell(scene, " | %lx ", (unsigned long)lengths[i]);
		tell_result(scene, raw(SYS_truncate, "regular", lengths[i]));
		stage_tell(stage);
	}
	free(stage);
}

/* RLIMIT_FSIZE gives EFBIG and a signal. */
static void run_limit(struct scene *scene)
{
	const struct rlimit limit = {100, 100};
	int status;
	pid_t pid;

	prepare(scene, !setrlimit(RLIMIT_FSIZE, &limit));
	signal(SIGXFSZ, SIG_IGN);
	tell_result(scene, raw(SYS_truncate, "regular", 100));
	tell_result(scene, raw(SYS_truncate, "regular", 101));
	tell_result(scene, raw(SYS_truncate, "empty", 1000));
	tell_path(scene, "regular");
	signal(SIGXFSZ, SIG_DFL);
	pid = fork();
	if (pid == 0) {
		_exit((int)-raw(SYS_truncate, "regular", 1000));
	}
	prepare(scene, pid > 0 && waitpid(pid, &status, 0) == pid);
	tell(scene, " default %s%d", WIFSIGNALED(status) ? "signal " : "exit ",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void run_kinds(struct scene *scene)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
	char path[64];

	prepare(scene, !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	tell_result(scene, raw(SYS_truncate, path, 10));
	tell(scene, " running ");
	tell_result(scene, raw(SYS_truncate, "/proc/self/exe", 0));
	tell(scene, " own memory ");
	tell_result(scene, raw(SYS_truncate, "/proc/self/mem", 0));
	tell_result(scene, raw(SYS_truncate, "/proc/self/environ", 0));
	tell(scene, " device ");
	tell_result(scene, raw(SYS_truncate, "/dev/zero", 0));
	tell(scene, " setuid ");
	tell_result(scene, raw(SYS_truncate, "setuid", 3));
	tell_path(scene, "setuid");
	tell_result(scene, raw(SYS_truncate, NULL, -1));
}

void cases_truncate(struct runner *runner)
{
	cross_path_calls(runner, calls, array_length(calls));
	runner_case(runner, run_lengths, NULL, "call/truncate/lengths");
	runner_case(runner, run_limit, NULL, "call/truncate/limit");
	runner_case(runner, run_kinds, NULL, "call/truncate/kinds");
}
