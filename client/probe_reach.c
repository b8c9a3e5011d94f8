/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of the reach into other processes: their memory and their descriptors. This is what Yama,
 * containers' profiles and undumpable programs take away.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/probe.h"
#include "client/probe_target.h"
#include "daemon/base/cleanup.h"

#define TEXT    "what lies in another process"
#define REPEATS 100
#define BYTE    'u'

static char text[] = TEXT;
static pid_t sibling;

/* Bytes read, or a negative errno. */
static ssize_t read_memory(pid_t pid, uint64_t address, void *data, size_t size)
{
	struct iovec local = {data, size};
	struct iovec remote = {(void *)(uintptr_t)address, size};
	ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	return got < 0 ? -errno : got;
}

/* Why the kernel may have said EPERM; "" if nothing is known. */
static const char *name_cause(int error)
{
	cleanup_file FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = file ? fgetc(file) : '0';

	if (error != EPERM && error != EACCES) {
		return "";
	}
	switch (scope) {
	case '1':
		return " (Yama: only descendants may be read)";
	case '2':
		return " (Yama: only root may read others)";
	case '3':
		return " (Yama: nobody may read others)";
	default:
		return "";
	}
}

static int show_text(void)
{
	return probe_call(text) < 0;
}

static int hide_and_show_text(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	return show_text();
}

/* Reads the text whose address the notified call brings. 0 or a negative errno. */
static int read_text(struct probe_result *result, const struct seccomp_notif *notification)
{
	char copy[sizeof(text)] = "";
	double start = probe_now_us();

	for (int i = 0; i < REPEATS; i++) {
		ssize_t got = read_memory(
			(pid_t)notification->pid, notification->data.args[0], copy, sizeof(copy));
		if (got != sizeof(copy)) {
			return got < 0 ? (int)got : -EIO;
		}
	}
	result->cost_us = (probe_now_us() - start) / REPEATS;
	return strcmp(copy, TEXT) == 0 ? 0 : -EIO;
}

/* True if something was received; *errorp is 0 or why the text could not be read. */
static bool try_reading(struct probe_result *result, probe_target_body *body, int *errorp)
{
	struct probe_target target;
	struct seccomp_notif notification;

	if (!probe_start(result, &target, 0, body)) {
		return false;
	}
	bool came = probe_next(result, &target, &notification);
	if (came) {
		*errorp = read_text(result, &notification);
		probe_answer(&target, notification.id, 0, 0);
	}
	probe_target_finish(&target);
	return came;
}

void probe_read_descendant(struct probe_result *result)
{
	int error;

	if (!try_reading(result, show_text, &error)) {
		return;
	}
	if (error < 0) {
		probe_report(result, PROBE_MISSING,
			"process_vm_readv of a program we started: %s%s", strerror(-error),
			name_cause(-error));
		return;
	}
	probe_report(result, PROBE_OK, "memory of a program we started can be read");
}

void probe_read_undumpable(struct probe_result *result)
{
	int error;

	if (!try_reading(result, hide_and_show_text, &error)) {
		return;
	}
	if (error < 0) {
		probe_report(result, PROBE_LIMITED,
			"memory of a program that hides it cannot be read: %s", strerror(-error));
		return;
	}
	probe_report(result, PROBE_OK, "also of a program that hides it");
}

static int wait_to_be_read(void)
{
	pause();
	return 0;
}

/* In a process that is no ancestor of `sibling`; the status is 0 or a positive errno. */
static int read_sibling(void)
{
	char copy[sizeof(text)] = "";
	ssize_t got = read_memory(sibling, (uint64_t)(uintptr_t)text, copy, sizeof(copy));

	if (got < 0) {
		return (int)-got;
	}
	return strcmp(copy, TEXT) == 0 ? 0 : EIO;
}

void probe_read_sibling(struct probe_result *result)
{
	struct probe_target read, reader;

	if (!probe_start(result, &read, PROBE_TARGET_PLAIN, wait_to_be_read)) {
		return;
	}
	sibling = read.pid;
	if (!probe_start(result, &reader, PROBE_TARGET_PLAIN, read_sibling)) {
		return;
	}
	int status = probe_target_finish(&reader);
	kill(read.pid, SIGKILL);
	probe_target_finish(&read);
	if (status == 0) {
		probe_report(
			result, PROBE_OK, "memory of a program another one started can be read");
	} else {
		probe_report(result, PROBE_LIMITED,
			"memory of a program another one started cannot be read: %s%s",
			strerror(status), name_cause(status));
	}
}

static void read_by_proc(struct probe_result *result, const struct seccomp_notif *notification)
{
	char path[64], copy[sizeof(text)] = "";
	off_t address = (off_t)notification->data.args[0];

	snprintf(path, sizeof(path), "/proc/%u/mem", notification->pid);
	cleanup_fd int memory = open(path, O_RDONLY | O_CLOEXEC);
	if (memory < 0) {
		probe_report(result, PROBE_MISSING, "%s: %s", path, strerror(errno));
		return;
	}
	double start = probe_now_us();
	for (int i = 0; i < REPEATS; i++) {
		if (pread(memory, copy, sizeof(copy), address) != sizeof(copy)) {
			probe_report(
				result, PROBE_MISSING, "reading %s: %s", path, strerror(errno));
			return;
		}
	}
	result->cost_us = (probe_now_us() - start) / REPEATS;
	if (strcmp(copy, TEXT) == 0) {
		probe_report(result, PROBE_OK, "the same by a descriptor that is kept");
	}
}

void probe_proc_mem(struct probe_result *result)
{
	struct probe_target target;
	struct seccomp_notif notification;

	if (!probe_start(result, &target, 0, show_text)) {
		return;
	}
	if (probe_next(result, &target, &notification)) {
		read_by_proc(result, &notification);
		probe_answer(&target, notification.id, 0, 0);
	}
	probe_target_finish(&target);
}

/* Makes a pipe, shows the number of its writing end, and waits for a byte. */
static int show_pipe(void)
{
	int ends[2];
	char byte = 0;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 || probe_call((void *)(intptr_t)ends[1]) < 0) {
		return 1;
	}
	return read(ends[0], &byte, 1) == 1 && byte == BYTE ? 0 : 2;
}

static const char *const pipe_failures[] = {
	"the tried program could not make a pipe", "nothing came through the descriptor", NULL};

/* The status of show_pipe, from a thread with a descriptor table of its own. */
static void *show_pipe_of_thread(void *status)
{
	*(int *)status = unshare(CLONE_FILES) < 0 ? 1 : show_pipe();
	return NULL;
}

static int show_pipe_in_thread(void)
{
	pthread_t thread;
	int status = 1;

	if (pthread_create(&thread, NULL, show_pipe_of_thread, &status) != 0) {
		return 1;
	}
	pthread_join(thread, NULL);
	return status;
}

/* Takes the descriptor by `pidfd` and writes to it. 0 or a negative errno. */
static int use_descriptor_of(struct probe_result *result, int pidfd, int number)
{
	char byte = BYTE;
	double start = probe_now_us();

	for (int i = 0; i < REPEATS; i++) {
		cleanup_fd int probed = pidfd_getfd(pidfd, number, 0);
		if (probed < 0) {
			return -errno;
		}
	}
	result->cost_us = (probe_now_us() - start) / REPEATS;
	cleanup_fd int taken = pidfd_getfd(pidfd, number, 0);
	return taken >= 0 && write(taken, &byte, 1) == 1 ? 0 : -EIO;
}

/* Takes a descriptor of the notified thread by a pidfd with `flags`. */
static bool take_descriptor(
	struct probe_result *result, const struct probe_target *target, unsigned int flags)
{
	struct seccomp_notif notification;

	if (!probe_next(result, target, &notification)) {
		return false;
	}
	cleanup_fd int pidfd = pidfd_open((pid_t)notification.pid, flags);
	if (pidfd < 0) {
		probe_report(result, PROBE_MISSING, "pidfd_open: %s", strerror(errno));
		return false;
	}
	int error = use_descriptor_of(result, pidfd, (int)notification.data.args[0]);
	if (error < 0) {
		probe_report(result, PROBE_MISSING, "pidfd_getfd: %s%s", strerror(-error),
			name_cause(-error));
		return false;
	}
	probe_answer(target, notification.id, 0, 0);
	return true;
}

static bool try_taking(struct probe_result *result, probe_target_body *body, unsigned int flags)
{
	struct probe_target target;

	if (!probe_start(result, &target, 0, body)) {
		return false;
	}
	if (take_descriptor(result, &target, flags)) {
		return probe_finish(result, &target, pipe_failures);
	}
	probe_target_finish(&target);
	return false;
}

void probe_pidfd_getfd(struct probe_result *result)
{
	if (try_taking(result, show_pipe, 0)) {
		probe_report(result, PROBE_OK, "the very socket of a program can be used");
	}
}

void probe_pidfd_thread(struct probe_result *result)
{
	if (try_taking(result, show_pipe_in_thread, PIDFD_THREAD)) {
		probe_report(result, PROBE_OK, "also of a thread with descriptors of its own");
	}
}
