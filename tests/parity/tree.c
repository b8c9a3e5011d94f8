/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table says what the tree is, and the same table what has changed in it.
 */
#include "tests/parity/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/witness.h"

struct entry {
	const char *path;
	mode_t mode;
	const char *content; /* of a file, or a link's target */
};

static const struct entry entries[] = {
	{"regular", S_IFREG | 0644, "hello\n"},
	{"empty", S_IFREG | 0644, ""},
	{"readonly", S_IFREG | 0444, "read only\n"},
	{"writeonly", S_IFREG | 0200, "write only\n"},
	{"forbidden", S_IFREG, "forbidden\n"},
	{"executable", S_IFREG | 0755, "#!/bin/true\n"},
	{"setuid", S_IFREG | 06755, "with ids\n"},
	{"fifo", S_IFIFO | 0644, NULL},
	{"socket", S_IFSOCK | 0755, NULL},
	{"dir", S_IFDIR | 0755, NULL},
	{"dir/inner", S_IFREG | 0644, "inner\n"},
	{"sticky", S_IFDIR | 01777, NULL},
	{"setgid", S_IFDIR | 02775, NULL},
	{"closed", S_IFDIR | 0755, NULL},
	{"closed/inner", S_IFREG | 0644, "closed\n"},
	{"link", S_IFLNK, "regular"},
	{"chain", S_IFLNK, "link"},
	{"dirlink", S_IFLNK, "dir"},
	{"dangling", S_IFLNK, "nowhere"},
	{"loop", S_IFLNK, "loop"},
	{"parent", S_IFLNK, "dir/../regular"},
	{"null", S_IFLNK, "/dev/null"},
};

static bool make_file(const struct entry *entry)
{
	cleanup_fd int fd = raw_open(entry->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t length = strlen(entry->content);

	return fd >= 0 && write(fd, entry->content, length) == (ssize_t)length &&
	       !fchmod(fd, entry->mode & 07777);
}

static bool make_entry(const struct entry *entry)
{
	switch (entry->mode & S_IFMT) {
	case S_IFREG:
		return make_file(entry);
	case S_IFDIR:
		return !mkdir(entry->path, 0700) && !chmod(entry->path, entry->mode & 07777);
	case S_IFLNK:
		return !symlink(entry->content, entry->path);
	default:
		return !mknod(entry->path, entry->mode, 0) &&
		       !chmod(entry->path, entry->mode & 07777);
	}
}

int tree_make(const char *root)
{
	char target[PATH_MAX];

	for (size_t i = 0; i < array_length(entries); i++) {
		if (!make_entry(&entries[i])) {
			return -errno;
		}
	}
	snprintf(target, sizeof(target), "%s/regular", root);
	return symlink(target, "absolute") || chmod("closed", 0) ? -errno : 0;
}

static const struct entry *find_entry(const char *path)
{
	for (size_t i = 0; i < array_length(entries); i++) {
		if (!strcmp(entries[i].path, path)) {
			return &entries[i];
		}
	}
	return NULL;
}

static bool is_as_made(const struct entry *entry, const char *path)
{
	struct stat st;
	mode_t mode;

	if (!entry || lstat(path, &st)) {
		return false;
	}
	mode = !strcmp(path, "closed") ? (mode_t)S_IFDIR : entry->mode;
	if ((st.st_mode & S_IFMT) == S_IFLNK) {
		return S_ISLNK(mode);
	}
	return st.st_mode == mode &&
	       (!S_ISREG(mode) || (size_t)st.st_size == strlen(entry->content));
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static void observe_changes_in(struct observation *observation, const char *directory)
{
	struct dirent **names;
	char path[PATH_MAX];
	int count = scandir(directory, &names, not_dots, alphasort);

	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s%s%s", directory[0] == '.' ? "" : directory,
			directory[0] == '.' ? "" : "/", names[i]->d_name);
		if (strcmp(path, "absolute") != 0 && !is_as_made(find_entry(path), path)) {
			observe_path(observation, path);
		}
		free(names[i]);
	}
	if (count >= 0) {
		free(names);
	}
}

int tree_observe_changes(struct observation *observation)
{
	static const char *const directories[] = {".", "dir", "sticky", "setgid"};

	for (size_t i = 0; i < array_length(directories); i++) {
		observe_changes_in(observation, directories[i]);
	}
	return 0;
}

void tree_tell_changes(struct scene *scene)
{
	prepare(scene, witness_tell_tree(scene, scene->root) == 0);
}
