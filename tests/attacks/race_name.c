/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Races over a name: it is rewritten in memory, or what it leads to is exchanged, while the call
 * that was to be judged is under way.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/attacks/attack.h"

#define PAGE 4096

static const int denied[] = {EACCES, 0};
/* While names are exchanged there are moments when the kernel finds none, or a loop. */
static const int denied_or_moved[] = {EACCES, ENOENT, ELOOP, ENOTDIR, EAGAIN, 0};
static const int denied_or_unmapped[] = {EACCES, EFAULT, 0};

struct name_state {
	volatile char *letter; /* of "dirA", "dirS" */
	const char *path;
	struct open_how how;
	bool odd;
	void *page;
};

static void flip_letter(void *pointer)
{
	struct name_state *state = pointer;

	*state->letter = 'S';
	*state->letter = 'A';
}

static long open_name(void *pointer, const struct world *world)
{
	struct name_state *state = pointer;

	return world_check(world, raw_open(state->path, O_RDONLY, 0));
}

static long open_name2(void *pointer, const struct world *world)
{
	struct name_state *state = pointer;

	return world_check(world, raw_openat2(AT_FDCWD, state->path, O_RDONLY, 0, 0));
}

/* Creates the file, if the denied name gets through, where none may be. */
static long create_name(void *pointer, const struct world *world)
{
	struct name_state *state = pointer;
	const char *created = world->twin ? "dirA/new" : "dirS/new";
	int fd = raw_open(state->path, O_WRONLY | O_CREAT, 0600);

	if (fd < 0) {
		return fd;
	}
	close(fd);
	return access(created, F_OK) ? -ESTALE : 0;
}

static long race_letter(const struct world *world, const char *format,
	long (*attempt)(void *, const struct world *))
{
	char path[4096];
	struct name_state state = {.path = path};
	struct race race = {flip_letter, attempt, &state};

	snprintf(path, sizeof(path), format, world->directory);
	state.letter = strstr(path + (format[0] == '%' ? strlen(world->directory) : 0), "dirA") + 3;
	return race_run(&race, world, denied);
}

static long rewritten(const struct world *world)
{
	return race_letter(world, "%s/dirA/file", open_name);
}

static long rewritten_relative(const struct world *world)
{
	return race_letter(world, "dirA/file%.0s", open_name);
}

/* Not in canonical form: it takes the long way. */
static long rewritten_dots(const struct world *world)
{
	return race_letter(world, "./dirM/..//dirA/./file%.0s", open_name);
}

static long rewritten_openat2(const struct world *world)
{
	return race_letter(world, "%s/dirA/file", open_name2);
}

static long rewritten_create(const struct world *world)
{
	return race_letter(world, "%s/dirA/new", create_name);
}

static void flip_flags(void *pointer)
{
	struct name_state *state = pointer;

	*(volatile __u64 *)&state->how.flags = O_RDWR;
	*(volatile __u64 *)&state->how.flags = O_RDONLY;
}

/* What may only be read is got for writing. */
static long open_how_race(void *pointer, const struct world *world)
{
	struct name_state *state = pointer;
	int fd = (int)raw(SYS_openat2, AT_FDCWD, world->twin ? "dirA/file" : "dirR/file",
		&state->how, sizeof(state->how));
	int access;

	if (fd < 0) {
		return fd;
	}
	access = fcntl(fd, F_GETFL) & O_ACCMODE;
	close(fd);
	return access == O_RDWR ? 0 : -ESTALE;
}

static long rewritten_how(const struct world *world)
{
	struct name_state state = {.how = {.flags = O_RDONLY}};
	struct race race = {flip_flags, open_how_race, &state};

	return race_run(&race, world, denied);
}

static void exchange(const char *one, const char *other)
{
	raw(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
}

static void flip_final(void *pointer)
{
	(void)pointer;
	exchange("dirM/final", "dirM/other");
}

static long exchanged(const struct world *world, const char *path, void (*flip)(void *))
{
	struct name_state state = {.path = path};
	struct race race = {flip, open_name, &state};

	return race_run(&race, world, denied_or_moved);
}

static void make_file(const char *path)
{
	int fd = raw_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	prepare(fd >= 0 && write(fd, "other\n", 6) == 6 && !close(fd));
}

/* The last component is a file, then a link to the secret. */
static long final_component(const struct world *world)
{
	char target[64];

	snprintf(target, sizeof(target), "../%s", world_file(world));
	make_file("dirM/final");
	prepare(!symlink(target, "dirM/other"));
	return exchanged(world, "dirM/final", flip_final);
}

/* A link to an allowed file, then a link to the secret. */
static long final_link(const struct world *world)
{
	char target[64];

	snprintf(target, sizeof(target), "../%s", world_file(world));
	make_file("dirM/plain");
	prepare(!symlink("plain", "dirM/final") && !symlink(target, "dirM/other"));
	return exchanged(world, "dirM/final", flip_final);
}

/* A directory in the middle, then a link to the secret's. */
static long middle_component(const struct world *world)
{
	char target[64];

	snprintf(target, sizeof(target), "../%s", world_directory(world));
	prepare(!mkdir("dirM/final", 0755));
	make_file("dirM/final/file");
	prepare(!symlink(target, "dirM/other"));
	return exchanged(world, "dirM/final/file", flip_final);
}

/* `..` out of a directory that is moved to and fro. */
static void flip_parent(void *pointer)
{
	(void)pointer;
	raw(SYS_rename, "dirM/one/moving", "dirM/two/moving");
	raw(SYS_rename, "dirM/two/moving", "dirM/one/moving");
}

static long moved_parent(const struct world *world)
{
	char target[64], path[64];
	int fd;

	snprintf(target, sizeof(target), "../../%s", world_file(world));
	prepare(!mkdir("dirM/one", 0755) && !mkdir("dirM/two", 0755) &&
		!mkdir("dirM/one/moving", 0755) && !symlink(target, "dirM/two/file"));
	make_file("dirM/one/file");
	fd = raw_open("dirM/one/moving", O_PATH | O_DIRECTORY, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/../file", fd);
	return exchanged(world, path, flip_parent);
}

/* The page with the name comes and goes. */
static void flip_page(void *pointer)
{
	struct name_state *state = pointer;

	mprotect(state->page, PAGE, PROT_NONE);
	mprotect(state->page, PAGE, PROT_READ);
}

static long unmapped(const struct world *world)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct name_state state = {.page = page, .path = page};
	struct race race = {flip_page, open_name, &state};

	prepare(page != MAP_FAILED);
	strcpy(page, world_file(world));
	return race_run(&race, world, denied_or_unmapped);
}

const struct attack attacks_race_name[] = {
	{"race-rewritten", rewritten},
	{"race-rewritten-relative", rewritten_relative},
	{"race-rewritten-dots", rewritten_dots},
	{"race-rewritten-openat2", rewritten_openat2},
	{"race-rewritten-create", rewritten_create},
	{"race-rewritten-how", rewritten_how},
	{"race-final-component", final_component},
	{"race-final-link", final_link},
	{"race-middle-component", middle_component},
	{"race-moved-parent", moved_parent},
	{"race-unmapped", unmapped},
	{NULL, NULL},
};
