/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files are opened once and judged by the descriptor: who can write it, whether it is one of those
 * that include it. An include is looked for beside the including file, then in the directories.
 */
#include "daemon/policy/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/texts.h"

/* The text with a NUL behind it, from a file of any kind: `usher check /dev/stdin` works. */
static int read_all(int fd, size_t limit, char **textp, size_t *sizep)
{
	cleanup_free char *text = NULL;
	size_t size = 0, capacity = 0;

	for (;;) {
		ssize_t n;

		if (size + 1 >= capacity) {
			char *larger;

			capacity = capacity != 0 ? 2 * capacity : 8192;
			larger = realloc(text, capacity);
			if (!larger) {
				return -ENOMEM;
			}
			text = larger;
		}
		n = read(fd, text + size, capacity - size - 1);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return -errno;
		}
		if (n == 0) {
			break;
		}
		size += (size_t)n;
		if (size > limit) {
			return -EFBIG;
		}
	}
	text[size] = '\0';
	*sizep = size;
	*textp = steal_pointer(&text);
	return 0;
}

/* An include beside the including file; a name with a leading slash is itself. */
static char *name_beside(const char *includer, const char *name)
{
	const char *slash = name[0] == '/' ? NULL : strrchr(includer, '/');
	char *path = NULL;

	if (asprintf(&path, "%.*s%s", slash ? (int)(slash - includer) + 1 : 0, includer, name) <
		0) {
		return NULL;
	}
	return path;
}

/* Whether it must be a regular file: a user may give a pipe, but no file includes one. */
static bool wants_regular(const struct source *source, const struct source_file *parent)
{
	return source->regular || source->trusted || parent;
}

/* Nobody waits for the other end of a FIFO that will be refused. */
static int open_path(const char *path, bool regular)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (regular ? O_NONBLOCK : 0));

	return fd < 0 ? -errno : fd;
}

static int open_include(
	const struct source *source, const char *includer, const char *name, char **pathp)
{
	cleanup_free char *path = name_beside(includer, name);
	int fd = path ? open_path(path, true) : -ENOMEM;

	for (size_t i = 0;
		fd == -ENOENT && name[0] != '/' && source->directories && source->directories[i];
		i++) {
		free(path);
		path = NULL;
		if (asprintf(&path, "%s/%s", source->directories[i], name) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		fd = open_path(path, true);
	}
	*pathp = steal_pointer(&path);
	return fd;
}

static int check_circle(const struct source_file *file, const char *name, struct mistake *mistake)
{
	for (const struct source_file *above = file->parent; above; above = above->parent) {
		if (above->device == file->device && above->inode == file->inode) {
			mistake_set(mistake, 0,
				"the include goes round in a circle: %s includes "
				"itself",
				name);
			return -ELOOP;
		}
	}
	return 0;
}

static int check_status(const struct source *source, const struct source_file *file,
	const struct stat *status, const char *name, struct mistake *mistake)
{
	if (S_ISDIR(status->st_mode)) {
		mistake_set(mistake, 0, "%s is a directory", name);
		return -EISDIR;
	}
	if (wants_regular(source, file->parent) && !S_ISREG(status->st_mode)) {
		mistake_set(mistake, 0, "%s is not a regular file", name);
		return -EPERM;
	}
	if (source->trusted && (status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		mistake_set(mistake, 0,
			"others than its owner can write %s (mode %04o); chmod go-w it", name,
			status->st_mode & 07777);
		return -EPERM;
	}
	return 0;
}

static int check_counts(
	const struct source *source, const struct source_file *parent, struct mistake *mistake)
{
	if (parent && parent->depth + 1 >= SOURCE_DEPTH_MAX) {
		mistake_set(mistake, 0, "includes are nested more than %u deep", SOURCE_DEPTH_MAX);
		return -ELOOP;
	}
	if (source->count >= SOURCE_FILES_MAX) {
		mistake_set(mistake, 0, "more than %u files are included", SOURCE_FILES_MAX);
		return -EMFILE;
	}
	return 0;
}

static int read_file(const struct source *source, struct source_file *file, int fd,
	const char *name, char **textp, size_t *sizep, struct mistake *mistake)
{
	struct stat status;
	size_t limit = SOURCE_TOTAL_MAX - source->total;
	int r;

	if (fstat(fd, &status) < 0) {
		return -errno;
	}
	file->device = status.st_dev;
	file->inode = status.st_ino;
	r = check_status(source, file, &status, name, mistake);
	r = r < 0 ? r : check_circle(file, name, mistake);
	if (r < 0) {
		return r;
	}
	r = read_all(fd, limit < SOURCE_FILE_MAX ? limit : SOURCE_FILE_MAX, textp, sizep);
	if (r < 0 && r != -ENOMEM) {
		mistake_set(mistake, 0, "cannot read %s: %s", name, strerror(-r));
	}
	return r;
}

/* A kept text is known by its number where a file is by its inode: no filesystem is device 0. */
static int read_kept(const struct source *source, struct source_file *file, const char *path,
	char **namep, char **textp, size_t *sizep, struct mistake *mistake)
{
	const char *kept;
	size_t number = policy_texts_get(source->texts, path, &kept, sizep);
	cleanup_free char *name = NULL;
	int r;

	if (number == 0) {
		return -ENOENT;
	}
	file->device = 0;
	file->inode = number;
	r = check_circle(file, path, mistake);
	if (r < 0) {
		return r;
	}
	name = strdup(path);
	*textp = malloc(*sizep + 1);
	if (!name || !*textp) {
		free(*textp);
		return -ENOMEM;
	}
	memcpy(*textp, kept, *sizep);
	(*textp)[*sizep] = '\0';
	*namep = steal_pointer(&name);
	return 0;
}

/* As from files: beside the including file, then in the directories. -ENOENT: it is not kept. */
static int read_from_texts(const struct source *source, struct source_file *file, const char *name,
	char **namep, char **textp, size_t *sizep, struct mistake *mistake)
{
	cleanup_free char *path =
		file->parent ? name_beside(file->parent->name, name) : strdup(name);
	int r = path ? read_kept(source, file, path, namep, textp, sizep, mistake) : -ENOMEM;

	for (size_t i = 0; r == -ENOENT && file->parent && name[0] != '/' && source->directories &&
			   source->directories[i];
		i++) {
		cleanup_free char *other = NULL;
		if (asprintf(&other, "%s/%s", source->directories[i], name) < 0) {
			other = NULL;
			return -ENOMEM;
		}
		r = read_kept(source, file, other, namep, textp, sizep, mistake);
	}
	return r;
}

static int read_from_files(const struct source *source, struct source_file *file, const char *name,
	char **namep, char **textp, size_t *sizep, struct mistake *mistake)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	int r;

	if (file->parent) {
		fd = open_include(source, file->parent->name, name, &path);
	} else {
		path = strdup(name);
		fd = path ? open_path(path, wants_regular(source, NULL)) : -ENOMEM;
	}
	if (fd < 0) {
		if (fd != -ENOMEM) {
			mistake_set(mistake, 0, "cannot open '%s': %s", name, strerror(-fd));
		}
		return fd;
	}
	r = read_file(source, file, fd, path, textp, sizep, mistake);
	if (r == 0) {
		*namep = steal_pointer(&path);
	}
	return r;
}

int source_read(struct source *source, const struct source_file *parent, const char *name,
	struct source_file *file, char **namep, char **textp, size_t *sizep,
	struct mistake *mistake)
{
	int r = check_counts(source, parent, mistake);

	if (r < 0) {
		return r;
	}
	*file = (struct source_file){.parent = parent, .depth = parent ? parent->depth + 1 : 0};
	if (source->replay) {
		r = source->replay(source->user, namep, textp, sizep);
	} else {
		r = source->texts
			    ? read_from_texts(source, file, name, namep, textp, sizep, mistake)
			    : -ENOENT;
		if (r == -ENOENT) {
			r = read_from_files(source, file, name, namep, textp, sizep, mistake);
		}
	}
	if (r == 0) {
		source->count++;
		source->total += *sizep;
	}
	return r;
}
