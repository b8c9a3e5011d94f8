/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outcomes as text. All calls made here are such as no policy of the tests mediates for these
 * objects in another way than it mediates the case itself.
 */
#include "tests/common/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/common/raw.h"

void observe(struct observation *observation, const char *format, ...)
{
	size_t room = observation->size - observation->used;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(observation->text + observation->used, room, format, arguments);
	va_end(arguments);
	if (length > 0) {
		observation->used += (size_t)length < room ? (size_t)length : room - 1;
	}
}

const char *observe_errno(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "E?";
}

void observe_result(struct observation *observation, long result)
{
	if (result >= 0) {
		observe(observation, "= %ld", result);
	} else if (strerrorname_np((int)-result)) {
		observe(observation, "= %s", strerrorname_np((int)-result));
	} else {
		observe(observation, "= error %ld", -result);
	}
}

const char *observe_type(mode_t mode)
{
	static const struct {
		mode_t type;
		const char *name;
	} types[] = {
		{S_IFREG, "regular"},
		{S_IFDIR, "directory"},
		{S_IFIFO, "fifo"},
		{S_IFSOCK, "socket"},
		{S_IFCHR, "character"},
		{S_IFBLK, "block"},
		{S_IFLNK, "link"},
	};

	for (size_t i = 0; i < array_length(types); i++) {
		if ((mode & S_IFMT) == types[i].type) {
			return types[i].name;
		}
	}
	return "anonymous";
}

void observe_stat(struct observation *observation, const struct stat *st)
{
	observe(observation, " %s %04o nlink=%lu", observe_type(st->st_mode), st->st_mode & 07777,
		S_ISDIR(st->st_mode) ? 0 : (unsigned long)st->st_nlink);
	if (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode)) {
		observe(observation, " size=%lld", (long long)st->st_size);
	}
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		observe(observation, " rdev=%u:%u", major(st->st_rdev), minor(st->st_rdev));
	}
	observe(observation, " uid=%u gid=%u", st->st_uid, st->st_gid);
}

void observe_fd(struct observation *observation, long result)
{
	int fd = (int)result;
	struct stat st;

	observe_result(observation, result);
	if (result < 0) {
		return;
	}
	if (fstat(fd, &st)) {
		observe(observation, " fstat=%s", observe_errno(errno));
		return;
	}
	observe_stat(observation, &st);
	observe(observation, " fl=0%o fd=%d", (unsigned int)fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
}

static void observe_content(struct observation *observation, const char *path)
{
	cleanup_fd int fd = raw_open(path, O_RDONLY | O_CLOEXEC, 0);
	unsigned int sum = 0;
	char data[4096];
	ssize_t got;

	if (fd < 0) {
		observe(observation, " content%s", observe_errno(-fd));
		return;
	}
	got = read(fd, data, sizeof(data));
	for (ssize_t i = 0; i < got; i++) {
		sum = sum * 31 + (unsigned char)data[i];
	}
	observe(observation, " content=%zd/%08x", got, sum);
}

void observe_path(struct observation *observation, const char *path)
{
	struct stat st;

	observe(observation, " [%s:", path);
	if (lstat(path, &st)) {
		observe(observation, " %s]", observe_errno(errno));
		return;
	}
	observe_stat(observation, &st);
	if (S_ISREG(st.st_mode)) {
		observe_content(observation, path);
	}
	observe(observation, "]");
}
