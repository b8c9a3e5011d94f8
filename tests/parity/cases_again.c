/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One absolute name, again and again: a regular file that was opened, and is something else since.
 * What is remembered of a name must not outlive what it was the name of.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/parity.h"

#define OPENS 3 /* in a row: what the first is remembered for counts for the others */

struct again_case {
	const char *name;
	long (*make)(const char *path);
};

static long make_nothing(const char *path)
{
	(void)path;
	return 0;
}

static long make_regular(const char *path)
{
	cleanup_fd int fd = raw_open(path, O_WRONLY | O_CREAT | O_EXCL, 0640);

	return fd < 0 ? fd : raw(SYS_write, fd, "again", 5);
}

static long make_directory(const char *path)
{
	return raw(SYS_mkdir, path, 0750);
}

static long make_link(const char *path)
{
	return raw(SYS_symlink, "regular", path);
}

static long make_dangling(const char *path)
{
	return raw(SYS_symlink, "missing", path);
}

static long make_loop(const char *path)
{
	return raw(SYS_symlink, "again", path);
}

static long make_fifo(const char *path)
{
	return raw(SYS_mknod, path, S_IFIFO | 0600, 0);
}

static long make_null(const char *path)
{
	return raw(SYS_mknod, path, S_IFCHR | 0600, makedev(1, 3));
}

/* The controlling terminal of who opens it; a case has none. */
static long make_terminal(const char *path)
{
	return raw(SYS_mknod, path, S_IFCHR | 0600, makedev(5, 0));
}

static long make_socket(const char *path)
{
	return raw(SYS_mknod, path, S_IFSOCK | 0600, 0);
}

static long make_link_to_proc(const char *path)
{
	return raw(SYS_symlink, "/proc/self/comm", path);
}

static void *write_into(void *path)
{
	cleanup_fd int fd = raw_open(path, O_WRONLY, 0);

	return (void *)raw(SYS_write, fd, "x", 1);
}

/* Both ends wait for each other, by that very name. */
static void meet(struct scene *scene, char *path)
{
	pthread_t writer;
	void *written;
	char byte;

	prepare(scene, pthread_create(&writer, NULL, write_into, path) == 0);
	cleanup_fd int fd = raw_open(path, O_RDONLY, 0);
	tell(scene, " meets");
	tell_result(scene, raw(SYS_read, fd, &byte, 1));
	prepare(scene, pthread_join(writer, &written) == 0);
	tell_result(scene, (long)written);
}

static void open_often(struct scene *scene, const char *path, int flags)
{
	for (int i = 0; i < OPENS; i++) {
		int fd = raw_open(path, flags, 0600);

		tell_fd(scene, fd);
		if (fd >= 0) {
			close(fd);
		}
	}
}

static void run_again(struct scene *scene)
{
	const struct again_case *test = scene->data;
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/again", scene->root);
	prepare(scene, make_regular(path) == 5);
	open_often(scene, path, O_RDONLY);
	prepare(scene, unlink(path) == 0);
	tell_result(scene, test->make(path));
	open_often(scene, path, O_RDONLY | O_NONBLOCK);
	open_often(scene, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	if (lstat(path, &st) == 0 && S_ISFIFO(st.st_mode)) {
		meet(scene, path);
		meet(scene, path);
	}
	open_often(scene, path, O_RDWR | O_CREAT | O_NONBLOCK);
}

void cases_again(struct runner *runner)
{
	static const struct again_case cases[] = {
		{"missing", make_nothing},
		{"regular", make_regular},
		{"directory", make_directory},
		{"link", make_link},
		{"dangling", make_dangling},
		{"loop", make_loop},
		{"fifo", make_fifo},
		{"null", make_null},
		{"terminal", make_terminal},
		{"socket", make_socket},
		{"link-to-proc", make_link_to_proc},
	};

	for (size_t i = 0; i < array_length(cases); i++) {
		runner_case(runner, run_again, &cases[i], "again/%s", cases[i].name);
	}
}
