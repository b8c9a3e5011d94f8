/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/request.h"
#include "daemon/policy/policy.h"

#define DELETED  " (deleted)"
#define STAND_IN "(too deep)"

/* The kernel marks an unlinked object; a file may as well be called so. */
static void strip_deleted(int fd, char *name, size_t length)
{
	size_t mark = sizeof(DELETED) - 1;
	struct stat st;

	if (length > mark && strcmp(name + length - mark, DELETED) == 0 && fstat(fd, &st) == 0 &&
		st.st_nlink == 0) {
		name[length - mark] = '\0';
	}
}

/* From our root's view to the session's. What lies outside gets a name that no pattern knows. */
static int strip_root(const struct broker *broker, char *name, size_t capacity)
{
	size_t root = strlen(broker->root_name);
	char outside[NAME_ROOM];

	if (root == 0) {
		return 0;
	}
	if (name_is_below(name, broker->root_name)) {
		memmove(name, name + root, strlen(name + root) + 1);
		if (name[0] == '\0') {
			memcpy(name, "/", 2);
		}
		return 0;
	}
	int length = snprintf(outside, sizeof(outside), "/(outside)%s", name);
	if (length < 0 || (size_t)length >= sizeof(outside) || (size_t)length >= capacity) {
		return -ENAMETOOLONG;
	}
	memcpy(name, outside, (size_t)length + 1);
	return 0;
}

/* What the kernel calls it: at most a page long, else -ENAMETOOLONG. */
static int read_name(const struct broker *broker, int fd, char *name, size_t capacity)
{
	char link[32];

	(void)snprintf(link, sizeof(link), "%d", fd);
	ssize_t length = readlinkat(broker->proc_fds, link, name, capacity - 1);
	if (length < 0) {
		return -errno;
	}
	name[length] = '\0';
	strip_deleted(fd, name, (size_t)length);
	return 0;
}

/* The entry of `parent` that is the directory `child`. 0 or a negative errno. */
static int find_entry(int parent, int child, char *entry_name)
{
	struct stat st, found;
	int error = -ENOENT;
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);

	if (!entries || fstat(child, &st) < 0) {
		error = -errno;
		if (!entries) {
			close_fd(&fd);
		}
	}
	for (struct dirent *entry = entries ? readdir(entries) : NULL; entry && error == -ENOENT;
		entry = readdir(entries)) {
		if (strcmp(entry->d_name, "..") != 0 &&
			fstatat(parent, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
			found.st_ino == st.st_ino && found.st_dev == st.st_dev) {
			memcpy(entry_name, entry->d_name, strlen(entry->d_name) + 1);
			error = 0;
		}
	}
	if (entries) {
		closedir(entries);
	}
	return error;
}

/* Of a directory that lies deeper than a page is long: up to where the kernel has a name, by
 * entries. */
static int read_deep_name(const struct broker *broker, int fd, char *name, size_t capacity)
{
	char below[NAME_ROOM] = "", entry[NAME_MAX + 1];
	cleanup_fd int at = openat(fd, ".", O_PATH | O_CLOEXEC);
	int error = at < 0 ? -ENAMETOOLONG : -EAGAIN;

	while (error == -EAGAIN) {
		int parent = openat(at, "..", O_PATH | O_CLOEXEC);
		if (parent < 0 || find_entry(parent, at, entry) < 0) {
			close_fd(&parent);
			return -ENAMETOOLONG;
		}
		close(at);
		at = parent;
		size_t length = strlen(entry), used = strlen(below);
		if (length + used + 2 > sizeof(below)) {
			return -ENAMETOOLONG;
		}
		memmove(below + length + 1, below, used + 1);
		below[0] = '/';
		memcpy(below + 1, entry, length);
		error = read_name(broker, at, name, capacity);
		error = error == -ENAMETOOLONG ? -EAGAIN : error;
	}
	return error < 0 ? error : name_append(name, capacity, below + 1);
}

/* Of the first directory above that the kernel has a name for. */
static int read_name_above(const struct broker *broker, int fd, char *name, size_t capacity)
{
	cleanup_fd int at = openat(fd, "..", O_PATH | O_CLOEXEC);
	int error = at < 0 ? -ENAMETOOLONG : read_name(broker, at, name, capacity);

	while (error == -ENAMETOOLONG) {
		int parent = openat(at, "..", O_PATH | O_CLOEXEC);
		if (parent < 0) {
			break;
		}
		close(at);
		at = parent;
		error = read_name(broker, at, name, capacity);
	}
	return error;
}

static int finish_name(const struct broker *broker, char *name, size_t capacity)
{
	return name[0] == '/' ? strip_root(broker, name, capacity) : -ENOENT;
}

/* Where the policy tells nothing apart one name is as good as another, however deep that is. */
static int stand_in(const struct broker *broker, int fd, char *name, size_t capacity)
{
	int error = read_name_above(broker, fd, name, capacity);

	if (error == 0) {
		error = finish_name(broker, name, capacity);
	}
	if (error < 0 || !policy_is_uniform_below(broker->policy, name)) {
		return -ENAMETOOLONG;
	}
	return name_append(name, capacity, STAND_IN);
}

int name_of_fd(const struct broker *broker, int fd, char *name, size_t capacity)
{
	int error = read_name(broker, fd, name, capacity);

	if (error == -ENAMETOOLONG) {
		if (stand_in(broker, fd, name, capacity) == 0) {
			return 0;
		}
		error = read_deep_name(broker, fd, name, capacity);
	}
	return error < 0 ? error : finish_name(broker, name, capacity);
}

int name_append(char *name, size_t capacity, const char *rest)
{
	size_t length = strlen(name);
	size_t more = strlen(rest);

	if (length > 0 && name[length - 1] == '/') {
		length--;
	}
	if (length + 1 + more + 1 > capacity) {
		return -ENAMETOOLONG;
	}
	name[length] = '/';
	memcpy(name + length + 1, rest, more + 1);
	return 0;
}

static bool is_dots(const char *component, size_t length, size_t dots)
{
	return length == dots && memcmp(component, "..", dots) == 0;
}

bool name_is_dots(const char *name)
{
	size_t length = strcspn(name, "/");

	return name[length + strspn(name + length, "/")] == '\0' &&
	       (is_dots(name, length, 1) || is_dots(name, length, 2));
}

bool name_is_no_entry(const char *name)
{
	return strcmp(name, "/") == 0 || name_is_dots(name);
}

/* Most names are clean as they are: those are copied at one go. */
static bool copy_if_clean(char *clean, size_t capacity, const char *path)
{
	size_t i = 0;

	for (; path[i] && i < capacity - 1; i++) {
		bool begins = i == 0 || path[i - 1] == '/';
		if (begins && (path[i] == '.' || (i > 0 && path[i] == '/'))) {
			return false;
		}
		clean[i] = path[i];
	}
	clean[i] = '\0';
	return i > 0 && !path[i];
}

bool name_clean(char *clean, size_t capacity, const char *path)
{
	size_t out = 0;
	bool slash_behind = false;

	if (copy_if_clean(clean, capacity, path)) {
		return true;
	}
	if (*path == '/') {
		clean[out++] = '/';
	}
	for (const char *at = path + strspn(path, "/"); *at; at += strspn(at, "/")) {
		size_t length = strcspn(at, "/");
		slash_behind = at[length] == '/';
		if (is_dots(at, length, 2) ||
			(is_dots(at, length, 1) && !at[length + strspn(at + length, "/")])) {
			return false;
		}
		if (!is_dots(at, length, 1)) {
			if (out + length + 2 > capacity) {
				return false;
			}
			memcpy(clean + out, at, length);
			out += length;
			clean[out++] = '/';
		}
		at += length;
	}
	if (out > 1 && !slash_behind) {
		out--;
	}
	clean[out] = '\0';
	return out > 0;
}

void name_trim(char *name)
{
	size_t length = strlen(name);

	while (length > 1 && name[length - 1] == '/') {
		name[--length] = '\0';
	}
}

void name_normalise(char *name)
{
	size_t out = 0;

	for (const char *at = name; *at;) {
		at += strspn(at, "/");
		size_t length = strcspn(at, "/");
		if (is_dots(at, length, 2)) {
			while (out > 0 && name[--out] != '/') {
			}
		} else if (length > 0 && !is_dots(at, length, 1)) {
			name[out++] = '/';
			memmove(name + out, at, length);
			out += length;
		}
		at += length;
	}
	if (out == 0) {
		name[out++] = '/';
	}
	name[out] = '\0';
}
