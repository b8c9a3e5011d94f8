/* SPDX-License-Identifier: Apache-2.0 */
#include "client/probe.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

#define TIMEOUT_MS 3000
#define POLL_NS    1000000L /* only where there is no pidfd to wait with */

static const char update_kernel[] = "use Linux 5.19 or later, on the machine itself: a container "
				    "runtime or sandbox that filters or emulates system calls may "
				    "lack it";

const struct probe probes[] = {
	{"outer listener", true,
		"start usher outside of the container or supervisor that notifies our calls "
		"already: the kernel takes one listener for a process",
		probe_outer_listener},
	{"notification", true, update_kernel, probe_notification},
	{"descriptor injection", true, update_kernel, probe_addfd},
	{"injection by number", false, "inject sockets and files with Linux 5.9 or later",
		probe_addfd_number},
	{"killable wait", false,
		"use Linux 5.19 or later; until then a signal may repeat a call's side effect",
		probe_killable},
	{"restart by signal", false,
		"use Linux 5.19 or later; until then calls that wait do not give way to signals",
		probe_restart},
	{"sync wake-up", false,
		"with Linux 6.6 or later, on a machine that is not busy, a call takes fewer "
		"microseconds; nothing else is lost",
		probe_sync_wake_up},
	{"end of session", true, update_kernel, probe_hang_up},
	{"read a descendant", true,
		"set kernel.yama.ptrace_scope to 0 or 1 (sysctl), allow ptrace in the container's "
		"security profile, or run as root",
		probe_read_descendant},
	{"read another process", false,
		"daemon mode needs usherd as root, or kernel.yama.ptrace_scope=0; embedded mode "
		"works without",
		probe_read_sibling},
	{"read undumpable", false,
		"programs that hide their memory (ssh-agent, programs that nobody may read) need "
		"root with CAP_SYS_PTRACE",
		probe_read_undumpable},
	{"/proc/PID/mem", false, "mount /proc; without it memory is read by process_vm_readv",
		probe_proc_mem},
	{"pidfd_getfd", true,
		"use Linux 5.6 or later, and allow ptrace and pidfd_getfd in the container's "
		"security profile",
		probe_pidfd_getfd},
	{"pidfd of a thread", false,
		"use Linux 6.9 or later for threads that have a descriptor table of their own",
		probe_pidfd_thread},
	{"openat2", true, "use Linux 5.6 or later, and allow openat2 in the container's profile",
		probe_openat2},
	{"sealed memory", true, update_kernel, probe_sealing},
	{"close_range", false, "use Linux 5.9 or later", probe_close_range},
	{"landlock", false,
		"use a kernel with CONFIG_SECURITY_LANDLOCK and landlock in its lsm= list; "
		"without it the broker confines itself less",
		probe_landlock},
	{"user namespace", false,
		"set user.max_user_namespaces above 0, kernel.unprivileged_userns_clone=1 and "
		"kernel.apparmor_restrict_unprivileged_userns=0 (sysctl)",
		probe_user_namespace},
	{"network namespace", false, "see user namespace, and user.max_net_namespaces",
		probe_network_namespace},
	{"filters", true, "start usher from a program that has not loaded so many filters",
		probe_filters},
	{"systemd", false,
		"usherd keeps its sessions by a second process of its own instead; where both are "
		"killed the sessions are left to their brokers",
		probe_systemd},
};
const size_t probe_count = array_length(probes);

const char *probe_state_name(enum probe_state state)
{
	static const char *const names[] = {
		[PROBE_OK] = "ok", [PROBE_LIMITED] = "limited", [PROBE_MISSING] = "missing"};
	static_assert(array_length(names) == PROBE_STATES, "a name for each state");

	return names[state];
}

void probe_report(struct probe_result *result, enum probe_state state, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(result->detail, sizeof(result->detail), format, arguments);
	va_end(arguments);
	result->state = state;
}

/* Waits for the process to end; false if it has not in time. It is reaped in both cases. */
static bool wait_for_end(pid_t pid, int *status)
{
	cleanup_fd int pidfd = pidfd_open(pid, 0);
	struct pollfd poll_pidfd = {.fd = pidfd, .events = POLLIN};
	bool ended = false;

	if (pidfd >= 0) {
		ended = poll(&poll_pidfd, 1, TIMEOUT_MS) > 0;
	}
	for (int waited = 0; pidfd < 0 && !ended && waited < TIMEOUT_MS; waited++) {
		siginfo_t info = {0};
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
		ended = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
			info.si_pid == pid;
	}
	/* The group, because what the probe started may outlive it. */
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, status, 0);
	return ended;
}

/* What our starter did to signals must not decide what the machine can do. */
static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
}

static __attribute__((noreturn)) void probe_main(
	const struct probe *probe, struct probe_result *result)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	reset_signals();
	probe->run(result);
	_exit(0);
}

static void run_in_process(const struct probe *probe, struct probe_result *shared)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		probe_main(probe, shared);
	}
	if (pid < 0) {
		probe_report(shared, PROBE_MISSING, "fork: %s", strerror(errno));
		return;
	}
	setpgid(pid, pid); /* whoever comes first */
	if (!wait_for_end(pid, &status)) {
		probe_report(shared, PROBE_MISSING, "no end within %d ms", TIMEOUT_MS);
	} else if (WIFSIGNALED(status)) {
		probe_report(
			shared, PROBE_MISSING, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	}
}

void probe_run(const struct probe *probe, struct probe_result *result)
{
	struct probe_result *shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED) {
		probe_report(result, PROBE_MISSING, "mmap: %s", strerror(errno));
		result->cost_us = PROBE_NO_COST;
		return;
	}
	shared->cost_us = PROBE_NO_COST;
	probe_report(shared, PROBE_MISSING, "the probe ended without an answer");
	run_in_process(probe, shared);
	*result = *shared;
	munmap(shared, sizeof(*shared));
}

bool probe_find_cause(char *text, size_t capacity)
{
	for (size_t i = 0; i < probe_count; i++) {
		struct probe_result result;
		if (!probes[i].required) {
			continue;
		}
		probe_run(&probes[i], &result);
		if (result.state == PROBE_MISSING) {
			snprintf(text, capacity, "%s: %s; %s", probes[i].name, result.detail,
				probes[i].remedy);
			return true;
		}
	}
	return false;
}
