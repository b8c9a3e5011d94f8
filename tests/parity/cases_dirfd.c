/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a name begins: every kind of dirfd, the working directory however it was come by, another
 * root, another mount namespace.
 */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/parity.h"
#include "tests/parity/tree.h"

struct dirfd_case {
	const char *name;
	int (*make)(struct scene *scene);
};

static int at_cwd(struct scene *scene)
{
	(void)scene;
	return AT_FDCWD;
}

static int directory(struct scene *scene)
{
	(void)scene;
	return raw_open("dir", O_RDONLY | O_DIRECTORY, 0);
}

static int directory_path(struct scene *scene)
{
	(void)scene;
	return raw_open("dir", O_PATH, 0);
}

static int file(struct scene *scene)
{
	(void)scene;
	return raw_open("regular", O_RDONLY, 0);
}

static int file_path(struct scene *scene)
{
	(void)scene;
	return raw_open("regular", O_PATH, 0);
}

static int link_path(struct scene *scene)
{
	(void)scene;
	return raw_open("dirlink", O_PATH | O_NOFOLLOW, 0);
}

static int closed_number(struct scene *scene)
{
	int fd = directory(scene);

	close(fd);
	return fd;
}

static int minus_one(struct scene *scene)
{
	(void)scene;
	return -1;
}

static int huge(struct scene *scene)
{
	(void)scene;
	return INT_MAX;
}

static int renamed(struct scene *scene)
{
	int fd = directory(scene);

	prepare(scene, !rename("dir", "sticky/moved"));
	return fd;
}

static int replaced(struct scene *scene)
{
	int fd = directory(scene);

	prepare(scene,
		!rename("dir", "moved") && !mkdir("dir", 0755) && !symlink("/", "dir/inner"));
	return fd;
}

static int removed(struct scene *scene)
{
	int fd;

	prepare(scene, !mkdir("gone", 0755));
	fd = raw_open("gone", O_RDONLY | O_DIRECTORY, 0);
	prepare(scene, !rmdir("gone"));
	return fd;
}

static int pipe_end(struct scene *scene)
{
	int ends[2];

	prepare(scene, !pipe(ends));
	return ends[0];
}

static int socket_fd(struct scene *scene)
{
	(void)scene;
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int proc_self(struct scene *scene)
{
	(void)scene;
	return raw_open("/proc/self", O_RDONLY | O_DIRECTORY, 0);
}

static int proc_file(struct scene *scene)
{
	(void)scene;
	return raw_open("/proc/version", O_RDONLY, 0);
}

static int proc_own_file(struct scene *scene)
{
	(void)scene;
	return raw_open("/proc/self/status", O_PATH, 0);
}

static int unreachable(struct scene *scene)
{
	int fd = directory(scene);

	prepare(scene, !chmod("dir", 0));
	return fd;
}

static const struct dirfd_case dirfds[] = {
	{"AT_FDCWD", at_cwd},
	{"directory", directory},
	{"O_PATH", directory_path},
	{"file", file},
	{"file-O_PATH", file_path},
	{"link-O_PATH", link_path},
	{"closed", closed_number},
	{"-1", minus_one},
	{"INT_MAX", huge},
	{"renamed", renamed},
	{"replaced", replaced},
	{"removed", removed},
	{"pipe", pipe_end},
	{"socket", socket_fd},
	{"proc-self", proc_self},
	{"proc-file", proc_file},
	{"proc-own-file", proc_own_file},
	{"mode-0", unreachable},
};

static void run_dirfd(struct scene *scene)
{
	static const char *const paths[] = {
		"inner", ".", "..", "../regular", "", "/dev/null", "cwd/regular", "./inner/"};
	const struct dirfd_case *test = scene->data;
	int dirfd = test->make(scene);

	for (size_t i = 0; i < array_length(paths); i++) {
		tell(scene, " %s ", paths[i]);
		tell_fd(scene, raw_openat(dirfd, paths[i], O_RDONLY, 0));
	}
	tell(scene, " create ");
	tell_fd(scene, raw_openat(dirfd, "created", O_RDWR | O_CREAT | O_CLOEXEC, 0640));
	tell(scene, " tmpfile ");
	tell_fd(scene, raw_openat(dirfd, ".", O_RDWR | O_TMPFILE, 0640));
	tree_tell_changes(scene);
}

/* dirfd is an int: what stands in the upper half of the register does not count. */
static void run_wide_dirfd(struct scene *scene)
{
	int fd = directory(scene);

	tell_fd(scene, raw(SYS_openat, (1ul << 32) | (unsigned int)fd, "inner", O_RDONLY, 0));
	tell(scene, " cwd ");
	tell_fd(scene, raw(SYS_openat, (unsigned int)AT_FDCWD, "regular", O_RDONLY, 0));
	tell(scene, " flags ");
	tell_fd(scene, raw(SYS_openat, AT_FDCWD, "regular", (1ul << 32) | O_RDONLY, 0));
	tell(scene, " mode ");
	tell_fd(scene, raw(SYS_openat, AT_FDCWD, "new", O_RDWR | O_CREAT, (1ul << 32) | 0644));
}

static void open_some(struct scene *scene)
{
	static const char *const paths[] = {
		"inner", "regular", "../regular", "dir/inner", ".", "..", "../..", "/dev/null"};

	for (size_t i = 0; i < array_length(paths); i++) {
		tell(scene, " %s ", paths[i]);
		tell_fd(scene, raw_open(paths[i], O_RDONLY, 0));
	}
	tell(scene, " create ");
	tell_fd(scene, raw_open("created", O_RDWR | O_CREAT, 0600));
}

static void run_chdir(struct scene *scene)
{
	prepare(scene, !chdir("dir"));
	open_some(scene);
}

static void run_fchdir(struct scene *scene)
{
	prepare(scene, !fchdir(directory(scene)));
	open_some(scene);
}

static void run_chdir_link(struct scene *scene)
{
	prepare(scene, !chdir("dirlink"));
	open_some(scene);
}

static void run_cwd_renamed(struct scene *scene)
{
	prepare(scene, !chdir("dir") && !rename("../dir", "../sticky/moved"));
	open_some(scene);
}

static void run_cwd_removed(struct scene *scene)
{
	prepare(scene, !mkdir("gone", 0755) && !chdir("gone") && !rmdir("../gone"));
	open_some(scene);
}

static void run_cwd_closed(struct scene *scene)
{
	prepare(scene, !chdir("dir") && !chmod(".", 0));
	open_some(scene);
}

static void run_cwd_with_strange_name(struct scene *scene)
{
	static const char *const names[] = {"a\nb", "x (deleted)", "\\012", " "};

	for (size_t i = 0; i < array_length(names); i++) {
		prepare(scene, !mkdir(names[i], 0755) && !chdir(names[i]));
		tell(scene, " %zu ", i);
		tell_fd(scene, raw_open("f", O_RDWR | O_CREAT, 0600));
		tell(scene, " again ");
		tell_fd(scene, raw_open("f", O_RDONLY, 0));
	}
}

/* As an ordinary user in a user namespace of its own, which is part of what must not differ. */
static void enter_namespaces(struct scene *scene, int flags)
{
	if (geteuid() != 0) {
		flags |= CLONE_NEWUSER;
	}
	if (unshare(flags)) {
		tell(scene, "unshare %s", observe_errno(errno));
		_exit(0);
	}
}

static void run_chroot(struct scene *scene)
{
	enter_namespaces(scene, 0);
	prepare(scene, !symlink("/inner", "dir/rooted") && !symlink("../../inner", "dir/climbing"));
	prepare(scene, !chroot("dir"));
	tell(scene, "cwd outside:");
	open_some(scene);
	prepare(scene, !chdir("/"));
	tell(scene, " inside:");
	open_some(scene);
	tell(scene, " /inner ");
	tell_fd(scene, raw_open("/inner", O_RDWR, 0));
	tell(scene, " /../../inner ");
	tell_fd(scene, raw_open("/../../inner", O_RDWR, 0));
	tell(scene, " rooted ");
	tell_fd(scene, raw_open("rooted", O_RDONLY, 0));
	tell(scene, " climbing ");
	tell_fd(scene, raw_open("climbing", O_RDONLY, 0));
	tell(scene, " /created ");
	tell_fd(scene, raw_open("/created", O_RDWR | O_CREAT, 0604));
}

/* A directory from outside is kept across chroot. */
static void run_chroot_with_dirfd(struct scene *scene)
{
	int outside = raw_open(".", O_RDONLY | O_DIRECTORY, 0);

	enter_namespaces(scene, 0);
	prepare(scene, !chroot("dir") && !chdir("/"));
	tell_fd(scene, raw_openat(outside, "regular", O_RDONLY, 0));
	tell(scene, " above ");
	tell_fd(scene, raw_openat(outside, "..", O_RDONLY | O_DIRECTORY, 0));
	tell(scene, " link ");
	tell_fd(scene, raw_openat(outside, "link", O_RDONLY, 0));
	tell(scene, " absolute link ");
	tell_fd(scene, raw_openat(outside, "absolute", O_RDONLY, 0));
	tell(scene, " in root ");
	tell_fd(scene, raw_openat2(outside, "/regular", O_RDONLY, 0, RESOLVE_IN_ROOT));
}

static void run_mounted(struct scene *scene)
{
	enter_namespaces(scene, CLONE_NEWNS);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("dir", "sticky", NULL, MS_BIND, NULL) ||
		mount("regular", "empty", NULL, MS_BIND, NULL) ||
		mount("tmpfs", "setgid", "tmpfs", 0, "mode=0755")) {
		tell(scene, "mount %s", observe_errno(errno));
		return;
	}
	tell(scene, "bound directory ");
	tell_fd(scene, raw_open("sticky/inner", O_RDWR, 0));
	tell(scene, " bound file ");
	tell_fd(scene, raw_open("empty", O_RDONLY, 0));
	tell(scene, " tmpfs ");
	tell_fd(scene, raw_open("setgid/new", O_RDWR | O_CREAT, 0640));
	tell(scene, " out of it ");
	tell_fd(scene, raw_open("setgid/../regular", O_RDONLY, 0));
	tell(scene, " no xdev ");
	tell_result(scene, raw_openat2(AT_FDCWD, "setgid/new", O_RDONLY, 0, RESOLVE_NO_XDEV));
}

struct place {
	const char *name;
	case_function *function;
};

static const struct place places[] = {
	{"cwd/chdir", run_chdir},
	{"cwd/fchdir", run_fchdir},
	{"cwd/link", run_chdir_link},
	{"cwd/renamed", run_cwd_renamed},
	{"cwd/removed", run_cwd_removed},
	{"cwd/mode-0", run_cwd_closed},
	{"cwd/strange-name", run_cwd_with_strange_name},
	{"root/chroot", run_chroot},
	{"root/chroot-with-dirfd", run_chroot_with_dirfd},
	{"root/mounted", run_mounted},
	{"dirfd/upper-half", run_wide_dirfd},
};

void cases_dirfd(struct runner *runner)
{
	for (size_t i = 0; i < array_length(dirfds); i++) {
		runner_case(runner, run_dirfd, &dirfds[i], "dirfd/%s", dirfds[i].name);
	}
	for (size_t i = 0; i < array_length(places); i++) {
		runner_case(runner, places[i].function, NULL, "%s", places[i].name);
	}
}
