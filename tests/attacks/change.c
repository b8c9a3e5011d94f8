/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each attack is one call, tried by every road there is. It has reached something only if every
 * road did, and is refused only if none did: anything in between is told, and is ESTALE, which is
 * wrong natively and under usher.
 */
#include "tests/attacks/change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

/* For the roads that are made of text: where the victim's directory and its name go. */
struct road {
	const char *name;
	const char *format; /* %s: the directory's name */
	bool is_absolute;   /* the world's directory stands in front */
	bool follows;       /* only for calls that follow a link */
};

static const struct road roads[] = {
	{"relative", "%s/", false, false},
	{"absolute", "/%s/", true, false},
	{"slashes", ".//%s//.//", false, false},
	{"dots", "dirA/../%s/", false, false},
	{"above-root", "/../..%%s", true, false},
	{"linked-parent", "dirM/way-%s/", false, false},
	{"dots-of-link", "dirM/way-%s/../%s/", false, false},
	{"proc-cwd", "/proc/self/cwd/%s/", false, false},
	{"thread-cwd", "/proc/thread-self/cwd/%s/", false, false},
	{"proc-root", "/proc/self/root", true, false},
	{"link", "dirM/to-%s-", false, true},
};

const char *victim_name(enum victim victim)
{
	static const char *const names[] = {"victim", "sub", "lnk", "new"};

	return names[victim];
}

static void restore_in(const char *directory)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/new", directory);
	if (unlink(path)) {
		rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/sub", directory);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/lnk", directory);
	symlinkat("victim", AT_FDCWD, path);
	snprintf(path, sizeof(path), "%s/victim", directory);
	fd = raw_open(path, O_WRONLY | O_CREAT, 0600);
	if (fd >= 0) {
		prepare(write(fd, "victim\n", 7) == 7 && !close(fd));
		setxattr(path, "user.mark", "m", 1, 0);
	}
}

/* Natively the last try may have put the attacker's file in place of the victim, or taken it away.
 */
void victims_restore(const struct world *world)
{
	char path[64];
	int fd;

	rmdir("dirM/stolen");
	unlink("dirM/stolen");
	mkdir("dirM/tree", 0755);
	fd = raw_open("dirM/mine", O_WRONLY | O_CREAT, 0600);
	prepare(fd >= 0 && !close(fd));
	snprintf(path, sizeof(path), "../%s", world_directory(world));
	symlinkat(path, AT_FDCWD, world->twin ? "dirM/way-dirA" : "dirM/way-dirS");
	restore_in(world_directory(world));
}

struct tally {
	unsigned int reached, refused;
	long error; /* the first that is not EACCES, else that */
};

static void count(struct tally *tally, const char *road, long result)
{
	if (result >= 0) {
		tally->reached++;
		printf("by %s: reached\n", road);
		return;
	}
	tally->refused++;
	if (result != -EACCES) {
		printf("by %s: %s\n", road, strerrorname_np((int)-result));
	}
	if (tally->error == 0 || tally->error == -EACCES) {
		tally->error = result;
	}
}

static long verdict(const struct tally *tally)
{
	if (!tally->refused) {
		return 0;
	}
	return tally->reached ? -ESTALE : tally->error;
}

static void make_path(const struct world *world, const struct road *road,
	const struct change *change, char *path, size_t size)
{
	const char *directory = world_directory(world), *name = victim_name(change->victim);
	char middle[256], target[256];

	if (!strcmp(road->name, "proc-root") || !strcmp(road->name, "above-root")) {
		snprintf(path, size, "%s%s/%s/%s",
			road->name[0] == 'p' ? "/proc/self/root" : "/../..", world->directory,
			directory, name);
		return;
	}
	snprintf(middle, sizeof(middle), road->format, directory, directory);
	snprintf(path, size, "%s%s%s", road->is_absolute ? world->directory : "", middle, name);
	if (road->follows) {
		snprintf(target, sizeof(target), "../%s/%s", directory, name);
		symlinkat(target, AT_FDCWD, path);
	}
}

static int path_descriptor(const char *path)
{
	int fd = raw_open(path, O_PATH | O_NOFOLLOW, 0);

	prepare(fd >= 0 || fd == -EACCES);
	return fd;
}

static void by_descriptors(
	const struct world *world, const struct change *change, struct tally *tally)
{
	const char *name = victim_name(change->victim);
	cleanup_fd int here = path_descriptor("."), other = path_descriptor("dirA");
	cleanup_fd int directory = path_descriptor(world_directory(world));
	char path[128];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", directory, name);
	victims_restore(world);
	/* Where looking is denied there is no such descriptor to begin with. */
	count(tally, "proc-fd", directory < 0 ? directory : change->make(AT_FDCWD, path));
	snprintf(path, sizeof(path), "/dev/fd/%d/../%s/%s", other, world_directory(world), name);
	victims_restore(world);
	count(tally, "dev-fd-dots", change->make(AT_FDCWD, path));
	if (!change->has_dirfd) {
		return;
	}
	victims_restore(world);
	count(tally, "dirfd", directory < 0 ? directory : change->make(directory, name));
	snprintf(path, sizeof(path), "../%s/%s", world_directory(world), name);
	victims_restore(world);
	count(tally, "dirfd-dots", change->make(other, path));
	snprintf(path, sizeof(path), "dirM/way-%s/%s", world_directory(world), name);
	victims_restore(world);
	count(tally, "dirfd-link", change->make(here, path));
}

/* The victim itself, opened without any right, and named by its descriptor. */
static void by_object(const struct world *world, const struct change *change, struct tally *tally)
{
	char path[128];
	int fd;

	if (!change->follows) {
		return;
	}
	victims_restore(world);
	snprintf(path, sizeof(path), "%s/%s", world_directory(world), victim_name(change->victim));
	fd = path_descriptor(path);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	count(tally, "object", fd < 0 ? fd : change->make(AT_FDCWD, path));
	close_fd(&fd);
}

static const struct change *find(const char *attack)
{
	for (const struct change *change = changes; change->name; change++) {
		if (!strcmp(change->name, attack + strlen("change-"))) {
			return change;
		}
	}
	attack_broken("no such change");
}

long change_by_every_road(const struct world *world)
{
	const struct change *change = find(world->attack);
	struct tally tally = {0};
	char path[5000];

	for (size_t i = 0; i < array_length(roads); i++) {
		if (roads[i].follows && !change->follows) {
			continue;
		}
		victims_restore(world);
		make_path(world, &roads[i], change, path, sizeof(path));
		count(&tally, roads[i].name, change->make(AT_FDCWD, path));
	}
	by_descriptors(world, change, &tally);
	by_object(world, change, &tally);
	return verdict(&tally);
}
