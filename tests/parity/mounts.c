/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/parity/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/tree.h"

#define VARIABLE "PARITY_MOUNTS"
/* Held by all that is started then; above the numbers of cases. */
#define SERVER_FD 901

/* A new file system with a tree in it; its root is the working directory then. */
static int mount_tree(const char *path, const char *options)
{
	if (mkdir(path, 0755) || mount("parity", path, "tmpfs", 0, options) || chdir(path)) {
		return -errno;
	}
	return tree_make(path);
}

static int take_names(const char *directory)
{
	static unsigned int count;
	char name[4096];

	do {
		snprintf(name, sizeof(name), "%s/full/sticky/%d-%u", directory, getpid(), count++);
	} while (!mknod(name, S_IFREG | 0600, 0));
	return errno == ENOSPC ? 0 : -errno;
}

static int take_room(const char *directory)
{
	static const char block[4096];
	char name[4096];

	snprintf(name, sizeof(name), "%s/full/sticky/filler", directory);
	cleanup_fd int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		return -errno;
	}
	while (write(fd, block, sizeof(block)) > 0) {
	}
	return errno == ENOSPC ? 0 : -errno;
}

int mounts_fill(void)
{
	return take_names(mounts_directory());
}

/* Whoever asks it anything waits: its server, the open descriptor, does not even greet. */
static int mount_hanging(const char *path)
{
	char options[96];
	cleanup_fd int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0 || dup2(fd, SERVER_FD) < 0 || mkdir(path, 0755)) {
		return -errno;
	}
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", SERVER_FD);
	return mount("parity", path, "fuse", 0, options) ? -errno : 0;
}

static int make_all(const char *directory)
{
	char path[4096];
	int error;

	snprintf(path, sizeof(path), "%s/full", directory);
	error = mount_tree(path, "size=256k,nr_inodes=60,mode=0755");
	if (error == 0) {
		error = take_room(directory);
	}
	if (error == 0) {
		error = take_names(directory);
	}
	if (error < 0) {
		return error;
	}
	snprintf(path, sizeof(path), "%s/hanging", directory);
	error = mount_hanging(path);
	if (error < 0) {
		return error;
	}
	snprintf(path, sizeof(path), "%s/read-only", directory);
	error = mount_tree(path, "mode=0755");
	if (error < 0) {
		return error;
	}
	return mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL) ? -errno : 0;
}

int mounts_make(const char *directory)
{
	mode_t mask = umask(0);
	int error;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		return -errno;
	}
	error = make_all(directory);
	umask(mask);
	return error < 0 || chdir("/") || setenv(VARIABLE, directory, 1) ? error : 0;
}

const char *mounts_directory(void)
{
	return getenv(VARIABLE);
}
