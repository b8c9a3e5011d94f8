/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parity [-l] [-w FD] DIRECTORY [PATTERN...]: runs the cases whose names match one of the patterns
 * of fnmatch(3) (all without any; none of those that match one after a `!`) below DIRECTORY, which
 * must be empty, and prints "NAME: TEXT" for each. -l prints names only. The directories are
 * numbered in the order of the table: two runs of the same table in the same DIRECTORY see the same
 * names. -w names a socket that leads to a witness (witness.h) outside of the session.
 *
 * parity -s FD: is that witness.
 *
 * parity -m DIRECTORY COMMAND...: starts COMMAND where there are file systems that refuse
 * (mounts.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/mounts.h"
#include "tests/parity/tree.h"
#include "tests/parity/witness.h"

#define TEXT_SIZE    16384
#define CASE_SECONDS 60 /* of one that hangs */
#define EXIT_BROKEN  77

struct runner {
	const char *directory;
	char *const *patterns;
	size_t pattern_count;
	bool list_only;
	char *text; /* shared with the children */
	unsigned int number;
};

static void (*const modules[])(struct runner *) = {
	cases_open,
	cases_again,
	cases_path,
	cases_mode,
	cases_dirfd,
	cases_how,
	cases_proc,
	cases_limit,
	cases_signal,
	cases_hang,
	cases_socket,
	cases_connect,
	cases_unix,
	cases_bind,
	cases_send,
	cases_message,
	cases_control,
	cases_thread,
	cases_process, /* shares descriptors, after which senders show the broker's pid */
	cases_calls,
};

void scene_broken(struct scene *scene, const char *what)
{
	tell(scene, " PREPARATION FAILED: %s: %s", what, observe_errno(errno));
	_exit(EXIT_BROKEN);
}

/* The last pattern that matches decides; without any that is not an exception all are wanted. */
static bool is_wanted(const struct runner *runner, const char *name)
{
	bool only_exceptions = true, wanted = false, excepted = false;

	for (size_t i = 0; i < runner->pattern_count; i++) {
		const char *pattern = runner->patterns[i];
		bool is_exception = pattern[0] == '!';

		only_exceptions &= is_exception;
		if (!fnmatch(pattern + is_exception, name, 0)) {
			wanted = !is_exception;
			excepted = is_exception;
		}
	}
	return only_exceptions ? !excepted : wanted;
}

static void name_root(const struct runner *runner, char *root, size_t size)
{
	snprintf(root, size, "%s/%04u", runner->directory, runner->number);
}

static _Noreturn void run_child(
	const struct runner *runner, case_function *function, const void *data)
{
	char root[4096];
	struct scene scene = {
		.observation = {runner->text, TEXT_SIZE, 0}, .root = root, .data = data};

	setsid();
	umask(022);
	name_root(runner, root, sizeof(root));
	prepare(&scene, witness_make(root, false) == 0 && !chdir(root));
	function(&scene);
	_exit(0);
}

/* Waits for the child and whatever it started; tells how it ended if not by itself. */
static void await_child(struct runner *runner, pid_t pid)
{
	struct observation observation = {runner->text, TEXT_SIZE, 0};
	char root[4096];
	cleanup_fd int pidfd = (int)raw(SYS_pidfd_open, pid, 0);
	struct pollfd poller = {.fd = pidfd, .events = POLLIN};
	int status;
	bool late = poll(&poller, 1, CASE_SECONDS * 1000) == 0;

	if (late) {
		kill(pid, SIGKILL);
	}
	waitpid(pid, &status, 0);
	observation.used = strlen(runner->text);
	if (late) {
		observe(&observation, " STILL RUNNING after %d s", CASE_SECONDS);
	} else if (WIFSIGNALED(status)) {
		observe(&observation, " killed by signal %d", WTERMSIG(status));
	} else if (WEXITSTATUS(status)) {
		observe(&observation, " exit %d", WEXITSTATUS(status));
	}
	kill(-pid, SIGKILL);
	name_root(runner, root, sizeof(root));
	witness_remove(root);
}

void runner_case(
	struct runner *runner, case_function *function, const void *data, const char *format, ...)
{
	char name[512];
	va_list arguments;
	pid_t pid;

	va_start(arguments, format);
	vsnprintf(name, sizeof(name), format, arguments);
	va_end(arguments);
	runner->number++;
	if (!is_wanted(runner, name)) {
		return;
	}
	if (runner->list_only) {
		printf("%s\n", name);
		return;
	}
	runner->text[0] = '\0';
	pid = fork();
	if (pid == 0) {
		run_child(runner, function, data);
	}
	if (pid > 0) {
		await_child(runner, pid);
	}
	printf("%s: %s\n", name, pid > 0 ? runner->text : "fork failed");
	fflush(stdout);
}

static int usage(void)
{
	fprintf(stderr, "usage: parity [-l] [-w FD] DIRECTORY [PATTERN...] | parity -s FD |"
			" parity -m DIRECTORY COMMAND...\n");
	return 2;
}

static int start_with_mounts(const char *directory, char **command)
{
	int error = mounts_make(directory);

	if (error < 0) {
		fprintf(stderr, "parity: mounts in %s: %s\n", directory, observe_errno(-error));
		return 1;
	}
	execv(command[0], command);
	return 1;
}

int main(int argc, char **argv)
{
	struct runner runner = {0};
	int option, witness = -1;

	while ((option = getopt(argc, argv, "+lw:s:m:")) != -1) {
		switch (option) {
		case 'l':
			runner.list_only = true;
			break;
		case 'w':
			witness = atoi(optarg);
			break;
		case 's':
			witness_serve(atoi(optarg));
			return 0;
		case 'm':
			return start_with_mounts(optarg, argv + optind);
		default:
			return usage();
		}
	}
	if (optind == argc || argv[optind][0] != '/') {
		return usage();
	}
	runner.directory = argv[optind];
	runner.patterns = argv + optind + 1;
	runner.pattern_count = (size_t)(argc - optind - 1);
	runner.text =
		mmap(NULL, TEXT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (runner.text == MAP_FAILED || witness_start(witness) < 0) {
		return 1;
	}
	for (size_t i = 0; i < array_length(modules); i++) {
		modules[i](&runner);
	}
	return 0;
}
