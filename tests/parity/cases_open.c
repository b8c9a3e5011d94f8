/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kind of object opened with every combination of flags that makes sense, and with some that
 * do not, through open, openat2 and creat.
 */
#include <fcntl.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "tests/common/words.h"
#include "tests/parity/parity.h"
#include "tests/parity/tree.h"

#define SYNC_WITHOUT_DATA 04000000
#define LARGEFILE         0100000

struct open_case {
	const char *path;
	unsigned long long flags;
	enum { BY_OPEN, BY_OPENAT2, BY_CREAT } call;
};

static const char *const objects[] = {
	"regular",
	"empty",
	"readonly",
	"writeonly",
	"forbidden",
	"executable",
	"setuid",
	"dir",
	"dir/inner",
	"closed",
	"closed/inner",
	"sticky",
	"fifo",
	"socket",
	"link",
	"chain",
	"dirlink",
	"dirlink/",
	"dirlink/inner",
	"dangling",
	"loop",
	"parent",
	"absolute",
	"null",
	"/dev/null",
	"/dev/zero",
	"missing",
	"missing/",
	"missing/child",
	"regular/",
	"regular/child",
	"link/",
	"dangling/",
	"dir/",
	"dir/.",
	"dir/..",
	"dir/../regular",
	"dir//inner",
	"./regular",
	".//regular",
	".",
	"..",
	"/",
	"",
};

static const unsigned long long flag_sets[] = {
	O_RDONLY,
	O_WRONLY,
	O_RDWR,
	O_ACCMODE,
	O_RDONLY | O_CREAT,
	O_WRONLY | O_CREAT,
	O_RDWR | O_CREAT | O_EXCL,
	O_ACCMODE | O_CREAT,
	O_RDONLY | O_TRUNC,
	O_WRONLY | O_TRUNC,
	O_RDWR | O_TRUNC | O_CREAT,
	O_ACCMODE | O_TRUNC,
	O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	O_WRONLY | O_APPEND,
	O_RDWR | O_APPEND | O_CREAT,
	O_RDONLY | O_NONBLOCK,
	O_WRONLY | O_NONBLOCK,
	O_RDWR | O_NONBLOCK,
	O_RDWR | O_DSYNC,
	O_RDWR | O_SYNC,
	O_RDWR | SYNC_WITHOUT_DATA,
	O_RDONLY | O_ASYNC,
	O_RDONLY | O_DIRECT,
	O_RDWR | O_DIRECT,
	O_RDONLY | LARGEFILE,
	O_RDONLY | O_DIRECTORY,
	O_WRONLY | O_DIRECTORY,
	O_RDONLY | O_DIRECTORY | O_CREAT,
	O_RDONLY | O_DIRECTORY | O_CREAT | O_EXCL,
	O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
	O_RDONLY | O_NOFOLLOW,
	O_RDWR | O_NOFOLLOW | O_CREAT,
	O_RDWR | O_NOFOLLOW | O_CREAT | O_EXCL,
	O_RDONLY | O_EXCL,
	O_RDONLY | O_NOATIME,
	O_RDONLY | O_CLOEXEC,
	O_RDWR | O_NOCTTY,
	O_PATH,
	O_PATH | O_NOFOLLOW,
	O_PATH | O_DIRECTORY,
	O_PATH | O_CLOEXEC,
	O_PATH | O_RDWR | O_CREAT | O_TRUNC,
	O_RDONLY | 0x40000000,
	O_RDWR | 0x80000000ull,
	O_RDONLY | 0x00000004 | 0x00000020,
};

/* Only for directories: elsewhere the outcome is that of O_DIRECTORY. */
static const unsigned long long temporary_sets[] = {
	O_RDWR | O_TMPFILE,
	O_WRONLY | O_TMPFILE | O_EXCL | O_CLOEXEC,
	O_RDONLY | O_TMPFILE,
	O_ACCMODE | O_TMPFILE,
	O_RDWR | O_TMPFILE | O_CREAT,
	O_RDWR | O_TMPFILE | O_APPEND,
	O_RDWR | (O_TMPFILE & ~O_DIRECTORY),
};

static const char *const directories[] = {"dir", "dir/", "dirlink", ".", "sticky", "setgid",
	"closed", "regular", "missing", "link", "dangling"};

/* openat2 refuses what open ignores; these are what it accepts, and the same objects. */
static const unsigned long long how_sets[] = {
	O_RDONLY,
	O_RDWR,
	O_RDWR | O_CREAT,
	O_RDWR | O_CREAT | O_EXCL,
	O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC,
	O_RDONLY | O_DIRECTORY,
	O_RDONLY | O_DIRECTORY | O_CREAT,
	O_RDONLY | O_NOFOLLOW,
};

static int make_call(const struct open_case *test)
{
	bool creates = test->flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY));

	switch (test->call) {
	case BY_CREAT:
		return (int)raw(SYS_creat, test->path, 0666);
	case BY_OPENAT2:
		return raw_openat2(AT_FDCWD, test->path, test->flags, creates ? 0666 : 0, 0);
	default:
		return (int)raw(SYS_open, test->path, test->flags, 0666);
	}
}

/* What the descriptor is good for: of a regular file or a terminal nothing here can block. */
static void use(struct scene *scene, int fd)
{
	struct stat st;
	char data[4];

	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		return;
	}
	tell(scene, " read=%ld", raw(SYS_read, fd, data, sizeof(data)));
	tell(scene, " write=%ld", raw(SYS_write, fd, "data", 4));
	tell(scene, " at=%ld", raw(SYS_lseek, fd, 0, SEEK_CUR));
}

static void run_open(struct scene *scene)
{
	const struct open_case *test = scene->data;
	int fd;

	if (!strcmp(test->path, "fifo")) { /* so that no open of it has to wait */
		prepare(scene, raw_open("fifo", O_RDWR | O_CLOEXEC, 0) >= 0);
	}
	fd = make_call(test);
	tell_fd(scene, fd);
	if (fd >= 0) {
		use(scene, fd);
		close(fd);
	}
	tree_tell_changes(scene);
}

static void cross(struct runner *runner, int call, const char *call_name, const char *const *paths,
	size_t path_count, const unsigned long long *sets, size_t set_count)
{
	for (size_t p = 0; p < path_count; p++) {
		for (size_t s = 0; s < set_count; s++) {
			struct open_case test = {.path = paths[p], .flags = sets[s], .call = call};
			char flags[256];

			words_print_open(sets[s], flags, sizeof(flags));
			runner_case(
				runner, run_open, &test, "%s/%s/%s", call_name, paths[p], flags);
		}
	}
}

void cases_open(struct runner *runner)
{
	cross(runner, BY_OPEN, "open", objects, array_length(objects), flag_sets,
		array_length(flag_sets));
	cross(runner, BY_OPEN, "open", directories, array_length(directories), temporary_sets,
		array_length(temporary_sets));
	cross(runner, BY_OPENAT2, "openat2", objects, array_length(objects), how_sets,
		array_length(how_sets));
	for (size_t p = 0; p < array_length(objects); p++) {
		struct open_case test = {.path = objects[p], .flags = O_CREAT, .call = BY_CREAT};

		runner_case(runner, run_open, &test, "creat/%s", objects[p]);
	}
}
