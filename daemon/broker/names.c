/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/broker/broker.h"
#include "daemon/broker/request.h"

#define DELETED " (deleted)"

bool name_is_below(const char *name, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(name, directory, length) == 0 && (name[length] == '/' || !name[length]);
}

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

int name_of_fd(const struct broker *broker, int fd, char *name, size_t capacity)
{
	char link[32];

	(void)snprintf(link, sizeof(link), "%d", fd);
	ssize_t length = readlinkat(broker->proc_fds, link, name, capacity - 1);
	if (length < 0) {
		return -errno;
	}
	name[length] = '\0';
	if (name[0] != '/') {
		return -ENOENT;
	}
	strip_deleted(fd, name, (size_t)length);
	return strip_root(broker, name, capacity);
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

bool name_clean(char *clean, size_t capacity, const char *path)
{
	size_t out = 0;
	bool slash_behind = false;

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
