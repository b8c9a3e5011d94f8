/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of single calls that the broker and the hand-over use, and of what surrounds us.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/probe.h"
#include "client/probe_target.h"
#include "daemon/base/cleanup.h"

#define REPEATS 100

/* A descriptor or a negative errno. */
static int open_without_links(const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* /proc/self is a symbolic link to what the second name says without one. */
void probe_openat2(struct probe_result *result)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", getpid());
	cleanup_fd int straight = open_without_links(path, O_RDONLY);
	if (straight < 0) {
		probe_report(result, PROBE_MISSING, "%s: %s", path, strerror(-straight));
		return;
	}
	cleanup_fd int linked = open_without_links("/proc/self/stat", O_RDONLY);
	if (linked != -ELOOP) {
		probe_report(result, PROBE_MISSING,
			"a symbolic link was followed although RESOLVE_NO_SYMLINKS forbids it");
		return;
	}
	double start = probe_now_us();
	for (int i = 0; i < REPEATS; i++) {
		cleanup_fd int root = open_without_links("/", O_RDONLY | O_DIRECTORY);
	}
	result->cost_us = (probe_now_us() - start) / REPEATS;
	probe_report(result, PROBE_OK, "names can be opened with the promise of no link in them");
}

void probe_sealing(struct probe_result *result)
{
	cleanup_fd int memory = memfd_create("probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memory < 0) {
		probe_report(result, PROBE_MISSING, "memfd_create: %s", strerror(errno));
		return;
	}
	if (write(memory, "x", 1) != 1 || fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE) < 0) {
		probe_report(result, PROBE_MISSING, "sealing a memfd: %s", strerror(errno));
		return;
	}
	if (write(memory, "y", 1) == 1 || errno != EPERM) {
		probe_report(result, PROBE_MISSING, "a sealed memfd can be written");
		return;
	}
	probe_report(result, PROBE_OK, "what is sealed stays as it is");
}

void probe_close_range(struct probe_result *result)
{
	int low = dup(STDERR_FILENO), high = dup(STDERR_FILENO);

	if (low < 0 || high < 0) {
		probe_report(result, PROBE_MISSING, "dup: %s", strerror(errno));
	} else if (close_range((unsigned int)high, (unsigned int)high, 0) < 0) {
		probe_report(result, PROBE_LIMITED, "close_range: %s", strerror(errno));
	} else if (fcntl(high, F_GETFD) >= 0 || fcntl(low, F_GETFD) < 0) {
		probe_report(
			result, PROBE_LIMITED, "close_range closes other descriptors than asked");
	} else {
		probe_report(result, PROBE_OK, "descriptors can be closed by range");
	}
}

/* A number of /proc/self/status, or -1. */
static int status_number(const char *key)
{
	cleanup_file FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	size_t length = strlen(key);

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, length) == 0 && line[length] == ':') {
			return atoi(line + length + 1);
		}
	}
	return -1;
}

/* Loads a filter of `count` instructions that allows all. 0 or a negative errno. */
static int load_filter(size_t count)
{
	struct sock_filter *instructions = calloc(count, sizeof(*instructions));
	struct sock_fprog program = {.len = (unsigned short)count, .filter = instructions};

	if (!instructions) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		instructions[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	long error = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	error = error < 0 ? -errno : 0;
	free(instructions);
	return (int)error;
}

void probe_filters(struct probe_result *result)
{
	int count = status_number("Seccomp_filters");
	int no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		probe_report(result, PROBE_MISSING, "no_new_privs: %s", strerror(errno));
		return;
	}
	int small = load_filter(1), large = load_filter(BPF_MAXINSNS);
	if (small < 0) {
		probe_report(result, PROBE_MISSING, "loading a filter: %s", strerror(-small));
	} else if (large < 0) {
		probe_report(result, PROBE_LIMITED, "loading a filter of %d instructions: %s",
			BPF_MAXINSNS, strerror(-large));
	} else {
		probe_report(result, PROBE_OK, "%d loaded before us; no_new_privs is %s",
			count < 0 ? 0 : count, no_new_privs > 0 ? "on" : "off");
	}
}

void probe_systemd(struct probe_result *result)
{
	if (access("/run/systemd/system", F_OK) < 0) {
		probe_report(result, PROBE_MISSING, "systemd does not run this machine");
		return;
	}
	probe_report(result, PROBE_OK, "systemd runs this machine and can keep usherd's sessions");
}
