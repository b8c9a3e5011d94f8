/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of injection: a descriptor put into another process is there, works, and is closed on
 * exec.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "client/probe.h"
#include "client/probe_target.h"
#include "daemon/base/cleanup.h"

#define WANTED 77
#define BYTE   'u'

static const char *const failures[] = {"the installed descriptor does not work in the program",
	"the installed descriptor is not closed on exec", "it was installed under another number",
	NULL};

/* Uses the descriptor whose number the call returned. */
static int use_descriptor(void)
{
	int fd = (int)probe_call(NULL);
	char byte = BYTE;

	if (fd < 0 || write(fd, &byte, 1) != 1) {
		return 1;
	}
	return fcntl(fd, F_GETFD) == FD_CLOEXEC ? 0 : 2;
}

static int use_wanted_descriptor(void)
{
	return probe_call(NULL) == WANTED && fcntl(WANTED, F_GETFD) == FD_CLOEXEC &&
			       write(WANTED, "u", 1) == 1
		       ? 0
		       : 3;
}

/* Installs the writing end of a pipe, answers with its number, and waits for the byte. */
static bool install_pipe(struct probe_result *result, struct probe_target *target, int number,
	const int pipe_ends[2])
{
	struct seccomp_notif notification;
	char byte = 0;

	if (!probe_next(result, target, &notification)) {
		return false;
	}
	double start = probe_now_us();
	int installed = probe_install(target, notification.id, pipe_ends[1], number);
	result->cost_us = probe_now_us() - start;
	if (installed < 0) {
		probe_report(result, PROBE_MISSING, "SECCOMP_IOCTL_NOTIF_ADDFD: %s",
			strerror(-installed));
		return false;
	}
	probe_answer(target, notification.id, installed, 0);
	if (!probe_finish(result, target, failures)) {
		return false;
	}
	if (read(pipe_ends[0], &byte, 1) != 1 || byte != BYTE) {
		probe_report(result, PROBE_MISSING, "nothing came through the descriptor");
		return false;
	}
	return true;
}

static bool try_injection(struct probe_result *result, probe_target_body *body, int number)
{
	struct probe_target target;
	int pipe_ends[2];

	if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		probe_report(result, PROBE_MISSING, "pipe: %s", strerror(errno));
		return false;
	}
	cleanup_fd int reading = pipe_ends[0];
	cleanup_fd int writing = pipe_ends[1];
	if (!probe_start(result, &target, 0, body)) {
		return false;
	}
	bool works = install_pipe(result, &target, number, (const int[]){reading, writing});
	close_fd(&target.listener);
	return works;
}

void probe_addfd(struct probe_result *result)
{
	if (try_injection(result, use_descriptor, -1)) {
		probe_report(result, PROBE_OK, "a descriptor put into the program works there");
	}
}

void probe_addfd_number(struct probe_result *result)
{
	if (try_injection(result, use_wanted_descriptor, WANTED)) {
		probe_report(result, PROBE_OK, "also under a number of our choice");
	}
}
