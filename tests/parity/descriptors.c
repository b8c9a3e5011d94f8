/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that begin at a descriptor: by dirfd, by /proc/self/fd, and the descriptor itself by an
 * empty name.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

/* Makes the descriptor that a word names. */
static int by_flags(struct scene *scene, const char *path, int flags)
{
	int fd = raw_open(path, flags, 0600);

	prepare(scene, fd >= 0);
	return fd;
}

static int deleted_file(struct scene *scene)
{
	int fd = by_flags(scene, "doomed", O_RDWR | O_CREAT);

	prepare(scene, !unlink("doomed"));
	return fd;
}

static int deleted_directory(struct scene *scene)
{
	int fd;

	prepare(scene, !mkdir("doomed", 0755));
	fd = by_flags(scene, "doomed", O_RDONLY);
	prepare(scene, !rmdir("doomed"));
	return fd;
}

static int pipe_end(struct scene *scene)
{
	int ends[2];

	prepare(scene, !pipe(ends));
	return ends[0];
}

static int make_descriptor(struct scene *scene, const char *word)
{
	static const struct {
		const char *word, *path;
		int flags;
	} files[] = {
		{"file", "regular", O_RDWR},
		{"file-read-only", "regular", O_RDONLY},
		{"file-O_PATH", "regular", O_PATH},
		{"link-O_PATH", "link", O_PATH | O_NOFOLLOW},
		{"dirlink-O_PATH", "dirlink", O_PATH | O_NOFOLLOW},
		{"directory", "dir", O_RDONLY},
		{"directory-O_PATH", "dir", O_PATH},
		{"root-of-tree", ".", O_RDONLY},
		{"fifo", "fifo", O_RDWR},
		{"unnamed", ".", O_TMPFILE | O_RDWR},
		{"proc-self", "/proc/self", O_RDONLY | O_DIRECTORY},
	};

	for (size_t i = 0; i < array_length(files); i++) {
		if (!strcmp(files[i].word, word)) {
			return by_flags(scene, files[i].path, files[i].flags);
		}
	}
	if (!strcmp(word, "deleted")) {
		return deleted_file(scene);
	}
	if (!strcmp(word, "removed")) {
		return deleted_directory(scene);
	}
	if (!strcmp(word, "memfd")) {
		return memfd_create("parity", 0);
	}
	if (!strcmp(word, "pipe")) {
		return pipe_end(scene);
	}
	if (!strcmp(word, "socket")) {
		return socket(AF_UNIX, SOCK_STREAM, 0);
	}
	return !strcmp(word, "AT_FDCWD") ? AT_FDCWD : atoi(word);
}

/* "WORD REST": REST is the name that is passed with the descriptor. */
static const char *at_descriptor(struct scene *scene, const char *path, int *dirfdp)
{
	char word[32];

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(path, " "), path);
	*dirfdp = make_descriptor(scene, word);
	return strchr(path, ' ') + 1;
}

static const char *by_road(struct scene *scene, const char *path, const char *road)
{
	static char name[PATH_MAX];
	char word[32];

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(path, " "), path);
	snprintf(name, sizeof(name), "%s/%d%s", road, make_descriptor(scene, word),
		strchr(path, ' ') + 1);
	return name;
}

static const char *proc_fd(struct scene *scene, const char *path, int *dirfdp)
{
	(void)dirfdp;
	return by_road(scene, path, "/proc/self/fd");
}

static const char *dev_fd(struct scene *scene, const char *path, int *dirfdp)
{
	(void)dirfdp;
	return by_road(scene, path, "/dev/fd");
}

static const char *task_fd(struct scene *scene, const char *path, int *dirfdp)
{
	char road[64];

	(void)dirfdp;
	snprintf(road, sizeof(road), "/proc/%d/task/%d/fd", getpid(), getpid());
	return by_road(scene, path, road);
}

/* A link in the tree that leads to the descriptor. */
static const char *linked_fd(struct scene *scene, const char *path, int *dirfdp)
{
	prepare(scene, !symlink(proc_fd(scene, path, dirfdp), "magic"));
	return "magic";
}

#define ROAD(function, text)                                               \
	{                                                                  \
		.name = #function " " text, .make = function, .path = text \
	}
#define ROAD_SPOILS(function, text)                                                        \
	{                                                                                  \
		.name = #function " " text, .make = function, .path = text, .spoils = true \
	}
/* With the caller's number in it. */
#define ROAD_OF_TASK(text)                                              \
	{                                                               \
		.name = "task_fd " text, .make = task_fd, .path = text, \
		.harmless = EFFECT_NONE | EFFECT_ENTRY | EFFECT_OBJECT  \
	}
#define AT(text)                                                                       \
	{                                                                              \
		.name = text, .make = at_descriptor, .path = text, .needs_dirfd = true \
	}
#define AT_SPOILS(text)                                                                 \
	{                                                                               \
		.name = text, .make = at_descriptor, .path = text, .needs_dirfd = true, \
		.spoils = true                                                          \
	}

static const struct path_argument descriptors[] = {
	ROAD(proc_fd, "file "),
	ROAD(proc_fd, "file-read-only "),
	ROAD(proc_fd, "file-read-only /"),
	ROAD(proc_fd, "file-O_PATH "),
	ROAD(proc_fd, "link-O_PATH "),
	ROAD(proc_fd, "dirlink-O_PATH /inner"),
	ROAD(proc_fd, "directory "),
	ROAD(proc_fd, "directory /"),
	ROAD(proc_fd, "directory /."),
	ROAD(proc_fd, "directory /.."),
	ROAD(proc_fd, "directory /inner"),
	ROAD(proc_fd, "directory /missing"),
	ROAD(proc_fd, "directory-O_PATH /inner"),
	ROAD(proc_fd, "directory-O_PATH /../regular"),
	ROAD(proc_fd, "fifo "),
	ROAD(proc_fd, "unnamed "),
	ROAD_SPOILS(proc_fd, "deleted "),
	ROAD_SPOILS(proc_fd, "removed "),
	ROAD_SPOILS(proc_fd, "removed /missing"),
	ROAD_SPOILS(proc_fd, "removed /.."),
	ROAD(proc_fd, "memfd "),
	ROAD(proc_fd, "pipe "),
	ROAD(proc_fd, "pipe /x"),
	ROAD(proc_fd, "socket "),
	ROAD(proc_fd, "99 "),
	ROAD(proc_fd, "99 /x"),
	ROAD(dev_fd, "file "),
	ROAD(dev_fd, "directory /inner"),
	ROAD_OF_TASK("file "),
	ROAD_OF_TASK("directory /missing"),
	ROAD_SPOILS(linked_fd, "file "),
	ROAD_SPOILS(linked_fd, "deleted "),
	ROAD_SPOILS(linked_fd, "pipe "),
};

static const struct path_argument dirfds[] = {
	AT("AT_FDCWD regular"),
	AT("AT_FDCWD "),
	AT("directory inner"),
	AT("directory missing"),
	AT("directory ."),
	AT("directory .."),
	AT("directory ../regular"),
	AT("directory ../missing"),
	AT("directory inner/"),
	AT("directory "),
	AT("directory-O_PATH inner"),
	AT("directory-O_PATH missing"),
	AT("directory-O_PATH "),
	AT("root-of-tree dirlink/inner"),
	AT("file regular"),
	AT("file ."),
	AT("file .."),
	AT("file "),
	AT("file-read-only "),
	AT("file-O_PATH regular"),
	AT("file-O_PATH "),
	AT("link-O_PATH "),
	AT("link-O_PATH x"),
	AT("dirlink-O_PATH inner"),
	AT("fifo "),
	AT("fifo x"),
	AT("unnamed "),
	AT_SPOILS("deleted "),
	AT_SPOILS("removed "),
	AT_SPOILS("removed ."),
	AT_SPOILS("removed .."),
	AT_SPOILS("removed missing"),
	AT("memfd "),
	AT("pipe "),
	AT("pipe x"),
	AT("socket "),
	AT("socket x"),
	AT("proc-self cwd/regular"),
	AT("proc-self missing"),
	AT("99 regular"),
	AT("99 "),
	AT("-1 regular"),
	AT("-1 "),
	AT("2147483647 regular"),
};

#define GROUP(array)                               \
	{                                          \
#array, array, array_length(array) \
	}

const struct path_group groups_of_descriptors[] = {
	GROUP(descriptors),
	GROUP(dirfds),
	{NULL, NULL, 0},
};
