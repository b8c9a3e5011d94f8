/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Into the mount namespace of a process outside, where file systems of memory hold what is secret.
 * The twin goes to that of a child of its own, which has a "dirM/file" of the same kind.
 *
 * setns(2) looks its descriptor up when it is made, after whoever admits it has looked: so the
 * races put another one in its place, from a thread, and from a process that has the same table.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "tests/attacks/attack.h"

#define SLOT 200 /* the number that is given to setns(2) */

static int open_process(pid_t pid)
{
	int fd = (int)raw(SYS_pidfd_open, pid, 0);

	prepare(fd >= 0);
	return fd;
}

static void fill_memory(void)
{
	prepare(!raw(SYS_mount, "none", "dirM", "tmpfs", 0, NULL));
	int fd = raw_open("dirM/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	prepare(fd >= 0 && write(fd, "allowed\n", 8) == 8 && !close(fd));
}

/* In a namespace of its own; `enter` makes it. */
static pid_t start_child(void (*enter)(void))
{
	char byte = 0;
	int ready[2];

	prepare(!pipe2(ready, O_CLOEXEC));
	pid_t pid = fork();
	if (pid == 0) {
		enter();
		fill_memory();
		(void)!write(ready[1], "g", 1);
		pause();
		_exit(0);
	}
	prepare(pid > 0 && !close(ready[1]) && read(ready[0], &byte, 1) == 1 && !close(ready[0]));
	return pid;
}

static pid_t victim(const struct world *world)
{
	if (world->elsewhere < 0) {
		attack_impossible("no mount namespace outside");
	}
	return world->twin ? start_child(mounts_enter) : world->elsewhere;
}

static long finish(const struct world *world, pid_t pid, long result)
{
	if (world->twin) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return result;
}

static long read_there(const struct world *world)
{
	char path[8192];

	snprintf(path, sizeof(path), "%s/dirM/file", world->directory);
	return world_check(world, raw_open(path, O_RDONLY | O_CLOEXEC, 0));
}

/* Its user namespace, too, of which a process of the same user is the owner. */
static int all_of_it(void)
{
	return CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0);
}

static long by_process(const struct world *world)
{
	pid_t pid = victim(world);
	long result = raw(SYS_setns, open_process(pid), all_of_it());

	return finish(world, pid, result ? result : read_there(world));
}

static long by_file(const struct world *world)
{
	char path[64];
	pid_t pid = victim(world);

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	int fd = raw_open(path, O_RDONLY | O_CLOEXEC, 0);
	long result = fd < 0 ? fd : 0;
	if (!result && geteuid()) {
		result = raw(SYS_setns, open_process(pid), CLONE_NEWUSER);
	}
	result = result ? result : raw(SYS_setns, fd, CLONE_NEWNS);
	return finish(world, pid, result ? result : read_there(world));
}

/* Without its kind. */
static long by_any_file(const struct world *world)
{
	char path[64];
	pid_t pid = victim(world);

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	int fd = (int)raw(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0 && geteuid()) {
		prepare(!raw(SYS_setns, open_process(pid), CLONE_NEWUSER));
	}
	long result = fd < 0 ? fd : raw(SYS_setns, fd, 0);
	return finish(world, pid, result ? result : read_there(world));
}

struct swap {
	int own, outside;
};

static void flip(void *state)
{
	const struct swap *swap = state;

	raw(SYS_dup2, swap->own, SLOT);
	raw(SYS_dup2, swap->outside, SLOT);
}

static long attempt(void *state, const struct world *world)
{
	(void)state;
	/* Who shares his root and directory with somebody may not go. */
	prepare(!raw(SYS_unshare, CLONE_FS));
	long result = raw(SYS_setns, SLOT, CLONE_NEWNS);
	return result ? result : read_there(world);
}

static void enter_mounts(void)
{
	prepare(!raw(SYS_unshare, CLONE_NEWNS) &&
		!raw(SYS_mount, "none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

/* Both namespaces are such that one may go there by turns. */
static struct swap prepare_swap(const struct world *world, pid_t *child)
{
	if (world->elsewhere < 0) {
		attack_impossible("no mount namespace outside");
	}
	struct swap swap = {.outside = open_process(world->elsewhere)};
	prepare(!geteuid() || !raw(SYS_setns, swap.outside, CLONE_NEWUSER));
	*child = start_child(enter_mounts);
	swap.own = open_process(*child);
	prepare(raw(SYS_dup2, swap.own, SLOT) == SLOT);
	return swap;
}

/* Who has several threads is told EINVAL, as the kernel would. */
static long run_race(const struct world *world, const struct race *race, pid_t child, int refusal)
{
	const int expected[] = {refusal, 0};
	long result = race_run(race, world, expected);

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return result;
}

static long race_by(const struct world *world, bool by_process)
{
	pid_t child;
	struct swap swap = prepare_swap(world, &child);
	const struct race race = {
		.flip = flip, .attempt = attempt, .state = &swap, .by_process = by_process};

	return run_race(world, &race, child, by_process ? EPERM : EINVAL);
}

static long race_thread(const struct world *world)
{
	return race_by(world, false);
}

static long race_process(const struct world *world)
{
	return race_by(world, true);
}

const struct attack attacks_setns[] = {
	{"setns-process", by_process},
	{"setns-file", by_file},
	{"setns-file-any", by_any_file},
	{"race-setns", race_thread},
	{"race-setns-process", race_process},
	{NULL, NULL},
};
