/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openat2: its struct of every size, its tail, what it refuses, and each resolve flag.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/base/cleanup.h"
#include "tests/common/words.h"
#include "tests/parity/parity.h"
#include "tests/parity/tree.h"

#define PAGE 4096

struct resolve_case {
	const char *path;
	unsigned long long resolve;
	unsigned long long flags;
};

static const char *const paths[] = {"regular", "dir/inner", "link", "dirlink/inner", "absolute",
	"dir/../regular", "../parity-outside", "..", "/", "/dev/null", "/etc/passwd", "null",
	"parent", "missing", "/proc/self/cwd/regular", "/proc/self/exe", "/proc/self/fd/0",
	"dir/../../..", "loop", "dangling", "."};

static const unsigned long long resolves[] = {
	RESOLVE_NO_XDEV,
	RESOLVE_NO_MAGICLINKS,
	RESOLVE_NO_SYMLINKS,
	RESOLVE_BENEATH,
	RESOLVE_IN_ROOT,
	RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT,
	RESOLVE_BENEATH | RESOLVE_IN_ROOT,
	0x40,
	0x8000000000000000,
};

/*
 * Whoever moves or mounts something on the machine meanwhile can be why the kernel cannot tell
 * where
 * `..` leads, and says EAGAIN: then it is asked again, as openat2(2) tells to.
 */
static int open_within(int dirfd, const char *path, unsigned long long flags,
	unsigned long long mode, unsigned long long resolve)
{
	int result = -EAGAIN;

	for (unsigned int tries = 0; result == -EAGAIN && tries < 10000; tries++) {
		result = raw_openat2(dirfd, path, flags, mode, resolve);
	}
	return result;
}

static void run_resolve(struct scene *scene)
{
	const struct resolve_case *test = scene->data;
	int dirfd = raw_open("dir", O_RDONLY | O_DIRECTORY, 0);

	prepare(scene, dirfd >= 0);
	tell_fd(scene, open_within(AT_FDCWD, test->path, test->flags, 0, test->resolve));
	tell(scene, " from dir ");
	tell_fd(scene, open_within(dirfd, test->path, test->flags, 0, test->resolve));
	tell(scene, " create ");
	tell_fd(scene, open_within(dirfd, "../created", O_RDWR | O_CREAT, 0600, test->resolve));
	tree_tell_changes(scene);
}

static void cross_resolve(struct runner *runner)
{
	for (size_t p = 0; p < array_length(paths); p++) {
		for (size_t r = 0; r < array_length(resolves); r++) {
			struct resolve_case test = {paths[p], resolves[r], O_RDONLY};

			runner_case(runner, run_resolve, &test, "resolve/%s/%#llx", paths[p],
				resolves[r]);
		}
	}
}

/* A link in a directory that is opened as the root. */
static void run_in_root(struct scene *scene)
{
	int dirfd = raw_open("dir", O_PATH | O_DIRECTORY, 0);

	prepare(scene, dirfd >= 0 && !symlink("/inner", "dir/rooted") &&
			       !symlink("../../../inner", "dir/climbing") &&
			       !symlink("/made", "dir/making"));
	tell_fd(scene, open_within(dirfd, "rooted", O_RDONLY, 0, RESOLVE_IN_ROOT));
	tell(scene, " climbing ");
	tell_fd(scene, open_within(dirfd, "climbing", O_RDONLY, 0, RESOLVE_IN_ROOT));
	tell(scene, " beneath ");
	tell_fd(scene, open_within(dirfd, "climbing", O_RDONLY, 0, RESOLVE_BENEATH));
	tell(scene, " making ");
	tell_fd(scene, open_within(dirfd, "making", O_RDWR | O_CREAT, 0640, RESOLVE_IN_ROOT));
	tell(scene, " absolute ");
	tell_fd(scene, open_within(dirfd, "/inner", O_RDONLY, 0, RESOLVE_IN_ROOT));
	tree_tell_changes(scene);
}

struct size_case {
	size_t size;
	size_t nonzero_at; /* 0: none */
};

static const struct size_case sizes[] = {{0, 0}, {1, 0}, {8, 0}, {16, 0}, {23, 0}, {24, 0}, {25, 0},
	{25, 24}, {32, 0}, {32, 31}, {4096, 0}, {4096, 4095}, {4097, 0}, {(size_t)1 << 32, 0}};

static void run_size(struct scene *scene)
{
	const struct size_case *test = scene->data;
	unsigned char *how =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(scene, how != MAP_FAILED);
	if (test->nonzero_at) {
		how[test->nonzero_at] = 1;
	}
	tell_fd(scene, raw(SYS_openat2, AT_FDCWD, "regular", how, test->size));
}

struct how_case {
	const char *name;
	struct open_how how;
};

static const struct how_case hows[] = {
	{"mode-without-create", {O_RDONLY, 0644, 0}},
	{"mode-too-wide", {O_RDWR | O_CREAT, 0200000, 0}},
	{"mode-with-type", {O_RDWR | O_CREAT, 0100644, 0}},
	{"mode-with-ids", {O_RDWR | O_CREAT, 07777, 0}},
	{"unknown-low-flag", {O_RDONLY | 0x40000000, 0, 0}},
	{"unknown-high-flag", {1ull << 40, 0, 0}},
	{"unknown-high-flag-create", {(1ull << 33) | O_CREAT | O_RDWR, 0600, 0}},
	{"path", {O_PATH, 0, 0}},
	{"path-with-write", {O_PATH | O_RDWR, 0, 0}},
	{"path-with-create", {O_PATH | O_CREAT, 0600, 0}},
	{"accmode", {O_ACCMODE, 0, 0}},
	{"tmpfile-read", {O_TMPFILE | O_RDONLY, 0600, 0}},
	{"tmpfile-create", {O_TMPFILE | O_CREAT | O_RDWR, 0600, 0}},
	{"tmpfile-bare", {(O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0600, 0}},
	{"directory-create", {O_DIRECTORY | O_CREAT, 0600, 0}},
	{"largefile", {0100000, 0, 0}},
	{"sync-without-data", {04000000 | O_RDWR, 0, 0}},
	{"everything", {~0ull, ~0ull, ~0ull}},
};

static void run_how(struct scene *scene)
{
	const struct how_case *test = scene->data;
	struct open_how how = test->how;

	tell_fd(scene, raw(SYS_openat2, AT_FDCWD, "regular", &how, sizeof(how)));
	tell(scene, " missing ");
	tell_fd(scene, raw(SYS_openat2, AT_FDCWD, "missing", &how, sizeof(how)));
	tell(scene, " dir ");
	tell_fd(scene, raw(SYS_openat2, AT_FDCWD, "dir", &how, sizeof(how)));
	tree_tell_changes(scene);
}

/* The struct at the end of a mapped page, whole and cut off; and nowhere. */
static void run_how_pointer(struct scene *scene)
{
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t size = sizeof(struct open_how);

	prepare(scene, pages != MAP_FAILED && !munmap(pages + PAGE, PAGE));
	tell_fd(scene, raw(SYS_openat2, AT_FDCWD, "regular", pages + PAGE - size, size));
	tell(scene, " cut ");
	tell_result(scene, raw(SYS_openat2, AT_FDCWD, "regular", pages + PAGE - size + 1, size));
	tell(scene, " tail cut ");
	tell_result(scene, raw(SYS_openat2, AT_FDCWD, "regular", pages + PAGE - size, size + 8));
	tell(scene, " NULL ");
	tell_result(scene, raw(SYS_openat2, AT_FDCWD, "regular", NULL, size));
	tell(scene, " both wrong ");
	tell_result(scene, raw(SYS_openat2, AT_FDCWD, NULL, NULL, size));
	tell(scene, " short and NULL ");
	tell_result(scene, raw(SYS_openat2, AT_FDCWD, NULL, NULL, (size_t)3));
}

/* RESOLVE_CACHED may fail with EAGAIN at any time; what it may not do is succeed otherwise. */
static void run_cached(struct scene *scene)
{
	struct stat st;
	int fd;

	prepare(scene, !stat("regular", &st));
	fd = raw_openat2(AT_FDCWD, "regular", O_RDONLY, 0, RESOLVE_CACHED);
	tell(scene, "%s", fd >= 0 || fd == -EAGAIN ? "opened or EAGAIN" : observe_errno(-fd));
	tell(scene, " with O_CREAT ");
	tell_result(scene, raw_openat2(AT_FDCWD, "new", O_RDWR | O_CREAT, 0600, RESOLVE_CACHED));
	tell(scene, " with O_TRUNC ");
	tell_result(scene, raw_openat2(AT_FDCWD, "regular", O_RDWR | O_TRUNC, 0, RESOLVE_CACHED));
	tree_tell_changes(scene);
}

void cases_how(struct runner *runner)
{
	cross_resolve(runner);
	runner_case(runner, run_in_root, NULL, "resolve/in-root");
	runner_case(runner, run_cached, NULL, "resolve/cached");
	for (size_t i = 0; i < array_length(sizes); i++) {
		runner_case(runner, run_size, &sizes[i], "how/size=%zu/nonzero=%zu", sizes[i].size,
			sizes[i].nonzero_at);
	}
	for (size_t i = 0; i < array_length(hows); i++) {
		runner_case(runner, run_how, &hows[i], "how/%s", hows[i].name);
	}
	runner_case(runner, run_how_pointer, NULL, "how/pointer");
}
