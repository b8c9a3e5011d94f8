/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hold on a process that is not confined: by ptrace, by its memory, by its descriptors. The twin
 * does the same to a child of its own, which is part of the session.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tests/attacks/attack.h"

#define PIDFD_NONBLOCKING 0

struct victim {
	pid_t pid;
	char *memory;
	int fd;
	bool own;
};

static char own_memory[64] = "allowed\n";

static struct victim victim_find(const struct world *world)
{
	struct victim victim = {
		world->outsider, (char *)world->outsider_memory, world->outsider_fd, false};

	if (world->twin) {
		victim = (struct victim){0, own_memory, raw_open("dirA/file", O_RDWR, 0), true};
		victim.pid = fork();
		if (victim.pid == 0) {
			pause();
			_exit(0);
		}
	}
	prepare(victim.pid > 0 && victim.fd >= 0);
	return victim;
}

static long victim_leave(const struct victim *victim, long result)
{
	if (victim->own) {
		kill(victim->pid, SIGKILL);
		waitpid(victim->pid, NULL, 0);
	}
	return result < 0 ? result : 0;
}

static long trace(const struct world *world)
{
	struct victim victim = victim_find(world);
	long result = raw_result(ptrace(PTRACE_SEIZE, victim.pid, NULL, NULL));

	return victim_leave(&victim, result);
}

static long attach(const struct world *world)
{
	struct victim victim = victim_find(world);
	long result = raw_result(ptrace(PTRACE_ATTACH, victim.pid, NULL, NULL));

	if (!result) {
		waitpid(victim.pid, NULL, __WALL);
		ptrace(PTRACE_DETACH, victim.pid, NULL, NULL);
	}
	return victim_leave(&victim, result);
}

static long read_memory(const struct world *world)
{
	struct victim victim = victim_find(world);
	char content[64] = "";
	struct iovec here = {content, sizeof(content)}, there = {victim.memory, sizeof(content)};

	return victim_leave(&victim, raw(SYS_process_vm_readv, victim.pid, &here, 1, &there, 1, 0));
}

static long write_memory(const struct world *world)
{
	struct victim victim = victim_find(world);
	char content[] = "overwritten\n";
	struct iovec here = {content, sizeof(content)}, there = {victim.memory, sizeof(content)};

	return victim_leave(
		&victim, raw(SYS_process_vm_writev, victim.pid, &here, 1, &there, 1, 0));
}

static long take_descriptor(const struct world *world)
{
	struct victim victim = victim_find(world);
	int pidfd = (int)raw(SYS_pidfd_open, victim.pid, PIDFD_NONBLOCKING);
	long result = pidfd;

	if (pidfd >= 0) {
		result = world_check(world, (int)raw(SYS_pidfd_getfd, pidfd, victim.fd, 0));
	}
	return victim_leave(&victim, result);
}

/* Its descriptor by /proc: what is denied by name is denied here too. */
static long open_descriptor(const struct world *world)
{
	struct victim victim = victim_find(world);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", victim.pid, victim.fd);
	return victim_leave(&victim, world_check(world, raw_open(path, O_RDONLY, 0)));
}

/*
 * A file that has no name, by way of a descriptor of O_PATH: that is made without being asked
 * about, and its own entry in /proc is the program's. The twin has it open.
 */
static long open_memory_file(const struct world *world)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", world->outsider, world->outsider_memory_fd);
	int fd = world->twin ? memfd_create("own", MFD_CLOEXEC)
			     : raw_open(path, O_PATH | O_CLOEXEC, 0);
	prepare(fd >= 0 && (!world->twin || write(fd, "allowed\n", 8) == 8));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return world_check(world, raw_open(path, O_RDWR, 0));
}

/* By numbers that only those have who are in the same namespace. The twin made it. */
static long read_by_namespace(const struct world *world)
{
	int flags = geteuid() ? CLONE_NEWUSER : 0, status;
	char *there = world->twin ? own_memory : (char *)world->outsider_memory;
	pid_t pid = world->elsewhere;

	if (pid < 0) {
		attack_impossible("no processes outside that are for themselves");
	}
	if (world->twin) {
		pid = (pid_t)raw(SYS_clone, CLONE_NEWPID | flags | SIGCHLD, NULL, NULL, NULL, NULL);
	}
	if (pid == 0) {
		pause();
		_exit(0);
	}
	int process = (int)raw(SYS_pidfd_open, pid, 0);
	prepare(process >= 0 && (!flags || !raw(SYS_setns, process, flags)));
	long result = raw(SYS_setns, process, CLONE_NEWPID);
	pid_t reader = result < 0 ? -1 : fork();
	if (reader == 0) {
		char content[8] = "";
		struct iovec to = {content, sizeof(content)}, from = {there, sizeof(content)};
		long got = raw(SYS_process_vm_readv, 1, &to, 1, &from, 1, 0);
		_exit(got < 0 ? (int)-got : 0);
	}
	if (reader > 0) {
		prepare(waitpid(reader, &status, 0) == reader && WIFEXITED(status));
		result = -WEXITSTATUS(status);
	}
	if (world->twin) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return result;
}

/* Dead by a signal, it would leave its memory in a file. */
static long let_dump_core(const struct world *world)
{
	struct rlimit limit;

	prepare(!raw(SYS_prlimit64, world->outsider, RLIMIT_CORE, NULL, &limit));
	limit.rlim_cur = limit.rlim_max;
	return raw(SYS_prlimit64, world->outsider, RLIMIT_CORE, &limit, NULL);
}

static long open_by_directory(const struct world *world)
{
	struct victim victim = victim_find(world);
	char path[4096];

	snprintf(path, sizeof(path), "/proc/%d/cwd/%s", victim.pid, world_file(world));
	return victim_leave(&victim, world_check(world, raw_open(path, O_RDONLY, 0)));
}

static long open_memory(const struct world *world)
{
	struct victim victim = victim_find(world);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", victim.pid);
	return victim_leave(&victim, raw_open(path, O_RDWR, 0));
}

/* Where the program that makes keys is not installed the kernel says that it has not found it. */
static long have_key_made(const struct world *world)
{
	long key = raw(SYS_request_key, "user", "debug:usher", "text", KEY_SPEC_PROCESS_KEYRING);

	(void)world;
	return key == -ENOENT ? 0 : key;
}

const struct attack attacks_process[] = {
	{"process-ptrace-seize", trace},
	{"process-ptrace-attach", attach},
	{"process-vm-readv", read_memory},
	{"process-vm-writev", write_memory},
	{"process-pidfd_getfd", take_descriptor},
	{"process-proc-fd", open_descriptor},
	{"process-proc-cwd", open_by_directory},
	{"process-proc-mem", open_memory},
	{"process-memory-file", open_memory_file},
	{"process-namespace", read_by_namespace},
	{"process-core", let_dump_core},
	{"process-key", have_key_made},
	{NULL, NULL},
};
