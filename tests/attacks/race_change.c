/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Races over a name that is to be changed: dirM/final is a directory, then a link to the victim's;
 * or its last component is a file, then a link to the victim. Whether the victim was hit is seen by
 * descriptors that were opened without any right before.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/attacks/change.h"

/* What is refused, and what is seen in the moments when names are exchanged or not yet put back. */
static const int denied_or_moved[] = {
	EACCES, ENOENT, ELOOP, ENOTDIR, EEXIST, EAGAIN, EXDEV, ENODATA, EBUSY, 0};

struct state {
	const struct change *change;
	const char *path;
	int victim, directory; /* of the denied one, by O_PATH */
	int own;               /* the allowed directory, which is exchanged with the link */
	struct stat victim_before, directory_before;
};

static void flip_middle(void *pointer)
{
	(void)pointer;
	raw(SYS_renameat2, AT_FDCWD, "dirM/final", AT_FDCWD, "dirM/other", RENAME_EXCHANGE);
}

static void flip_last(void *pointer)
{
	(void)pointer;
	raw(SYS_renameat2, AT_FDCWD, "dirM/victim", AT_FDCWD, "dirM/other", RENAME_EXCHANGE);
}

static bool same(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

static bool was_hit(const struct state *state)
{
	struct stat victim, directory;

	prepare(!fstat(state->victim, &victim) && !fstat(state->directory, &directory));
	return !same(&victim.st_ctim, &state->victim_before.st_ctim) ||
	       !same(&directory.st_mtim, &state->directory_before.st_mtim);
}

/* The allowed directory gets back what the last try has taken, by a descriptor of it. */
static void put_back(const struct state *state)
{
	int fd;

	unlinkat(state->own, "new", 0);
	unlinkat(state->own, "new", AT_REMOVEDIR);
	fd = raw_openat(state->own, "victim", O_WRONLY | O_CREAT, 0600);
	close(fd);
	fd = raw_open("dirM/mine", O_WRONLY | O_CREAT, 0600);
	close(fd);
}

static long attempt(void *pointer, const struct world *world)
{
	struct state *state = pointer;
	long result;

	(void)world;
	unlink("dirM/stolen");
	if (state->own >= 0) {
		put_back(state);
	}
	result = state->change->make(AT_FDCWD, state->path);
	if (was_hit(state)) {
		return 0;
	}
	return result < 0 ? result : -ESTALE;
}

static const struct change *find(const char *name)
{
	for (const struct change *change = changes; change->name; change++) {
		if (!strcmp(change->name, name)) {
			return change;
		}
	}
	attack_broken("no such change");
}

static int hold(const char *directory, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = raw_open(path, O_PATH | O_NOFOLLOW, 0);
	prepare(fd >= 0);
	return fd;
}

static long race_change(const struct world *world, struct state *state, void (*flip)(void *))
{
	struct race race = {flip, attempt, state};

	state->victim = hold(world_directory(world), "victim");
	state->directory = hold(world_directory(world), ".");
	prepare(!fstat(state->victim, &state->victim_before) &&
		!fstat(state->directory, &state->directory_before));
	return race_run(&race, world, denied_or_moved);
}

/* "race-middle-NAME": the directory in the middle. */
static long middle(const struct world *world)
{
	const struct change *change = find(world->attack + strlen("race-middle-"));
	struct state state = {.change = change};
	char path[64], target[64];

	snprintf(path, sizeof(path), "dirM/final/%s", victim_name(change->victim));
	snprintf(target, sizeof(target), "../%s", world_directory(world));
	prepare(!mkdir("dirM/final", 0755) && !symlink(target, "dirM/other"));
	state.path = path;
	state.own = raw_open("dirM/final", O_RDONLY | O_DIRECTORY, 0);
	prepare(state.own >= 0);
	return race_change(world, &state, flip_middle);
}

/* "race-last-NAME": the last component. */
static long last(const struct world *world)
{
	const struct change *change = find(world->attack + strlen("race-last-"));
	struct state state = {.change = change, .path = "dirM/victim", .own = -1};
	char target[64];
	int fd = raw_open("dirM/victim", O_WRONLY | O_CREAT, 0600);

	snprintf(target, sizeof(target), "../%s/victim", world_directory(world));
	prepare(fd >= 0 && !close(fd) && !symlink(target, "dirM/other"));
	return race_change(world, &state, flip_last);
}

const struct attack attacks_race_change[] = {
	{"race-middle-unlink", middle},
	{"race-middle-rename-away", middle},
	{"race-middle-rename-onto", middle},
	{"race-middle-chmod", middle},
	{"race-middle-truncate", middle},
	{"race-middle-mkdir", middle},
	{"race-middle-mknod", middle},
	{"race-middle-symlink", middle},
	{"race-middle-link-away", middle},
	{"race-middle-link-into", middle},
	{"race-middle-utimensat", middle},
	{"race-middle-setxattr", middle},
	{"race-last-chmod", last},
	{"race-last-truncate", last},
	{"race-last-utimensat", last},
	{"race-last-setxattr", last},
	{"race-last-linkat-follow-away", last},
	{NULL, NULL},
};
