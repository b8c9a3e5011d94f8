/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_to_handle_at: room for the handle, and whose it is: that of the same file by another name.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

struct roomy_handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static long get(int dirfd, const char *path, struct roomy_handle *handle, int *mount, int flags)
{
	memset(handle, 0, sizeof(*handle));
	handle->head.handle_bytes = MAX_HANDLE_SZ;
	return raw(SYS_name_to_handle_at, dirfd, path, handle, mount, flags);
}

static long told(struct scene *scene, int dirfd, const char *path, int flags)
{
	static const char *const known[] = {"regular", "dir", "link", "dir/inner", "."};
	struct roomy_handle handle, other;
	int mount = -77, other_mount = 0;
	long result = get(dirfd, path, &handle, &mount, flags);

	tell(scene, " bytes=%u type=%d mount=%d", handle.head.handle_bytes, handle.head.handle_type,
		mount != -77);
	for (size_t i = 0; result == 0 && i < array_length(known); i++) {
		if (!get(AT_FDCWD, known[i], &other, &other_mount, 0) &&
			!memcmp(&other, &handle, sizeof(other)) && mount == other_mount) {
			tell(scene, " =%s", known[i]);
		}
	}
	return result;
}

static long call_plain(struct scene *scene, int dirfd, const char *path)
{
	return told(scene, dirfd, path, 0);
}

static long call_follow(struct scene *scene, int dirfd, const char *path)
{
	return told(scene, dirfd, path, AT_SYMLINK_FOLLOW);
}

static long call_empty(struct scene *scene, int dirfd, const char *path)
{
	return told(scene, dirfd, path, AT_EMPTY_PATH);
}

static const struct path_call calls[] = {
	{"name_to_handle_at", call_plain, EFFECT_NONE, true},
	{"name_to_handle_at-follow", call_follow, EFFECT_NONE, true},
	{"name_to_handle_at-empty", call_empty, EFFECT_NONE, true},
};

static void run_sizes(struct scene *scene)
{
	static const unsigned int sizes[] = {0, 1, 4, 7, 8, 12, 20, 127, 128, 129, 1u << 31, ~0u};
	static const char *const names[] = {"regular", "dir", "missing", "/proc/self"};
	struct roomy_handle handle;
	int mount;

	for (size_t s = 0; s < array_length(sizes); s++) {
		for (size_t n = 0; n < array_length(names); n++) {
			memset(&handle, '#', sizeof(handle));
			handle.head.handle_bytes = sizes[s];
			mount = -77;
			tell(scene, " | %u %s ", sizes[s], names[n]);
			tell_result(scene,
				raw(SYS_name_to_handle_at, AT_FDCWD, names[n], &handle, &mount, 0));
			tell(scene, " bytes=%u type=%x mount=%d first=%d last=%d",
				handle.head.handle_bytes, (unsigned int)handle.head.handle_type,
				mount != -77, handle.bytes[0] == '#', handle.bytes[127] == '#');
		}
	}
}

static void run_arguments(struct scene *scene)
{
	static const unsigned long flags[] = {AT_SYMLINK_NOFOLLOW, 1, 2, 4, AT_REMOVEDIR,
		0x80000000, 1ul << 32, AT_SYMLINK_FOLLOW | AT_EMPTY_PATH, AT_NO_AUTOMOUNT};
	struct roomy_handle handle;
	unsigned long mount[2] = {0};
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t f = 0; f < array_length(flags); f++) {
		handle.head.handle_bytes = MAX_HANDLE_SZ;
		mount[0] = ~0ul;
		tell(scene, " | %lx ", flags[f]);
		tell_result(scene,
			raw(SYS_name_to_handle_at, AT_FDCWD, "link", &handle, mount, flags[f]));
		tell(scene, " %u upper=%d", handle.head.handle_bytes, mount[0] >> 32 == 0xffffffff);
	}
	prepare(scene, page != MAP_FAILED && !munmap(page + 4096, 4096));
	tell(scene, " pointers ");
	tell_result(scene, raw(SYS_name_to_handle_at, AT_FDCWD, "regular", NULL, mount, 0));
	tell_result(scene, raw(SYS_name_to_handle_at, AT_FDCWD, "missing", NULL, mount, 0));
	handle.head.handle_bytes = MAX_HANDLE_SZ;
	tell_result(scene, raw(SYS_name_to_handle_at, AT_FDCWD, "regular", &handle, NULL, 0));
	tell_result(
		scene, raw(SYS_name_to_handle_at, AT_FDCWD, "regular", &handle, page + 4094, 0));
	for (int room = 0; room < 32; room += 4) {
		struct file_handle *cut = (void *)(page + 4096 - room);

		if (room >= 4) {
			cut->handle_bytes = MAX_HANDLE_SZ;
		}
		tell_result(scene, raw(SYS_name_to_handle_at, AT_FDCWD, "regular", cut, mount, 0));
	}
}

void cases_handle(struct runner *runner)
{
	cross_path_calls(runner, calls, array_length(calls));
	runner_case(runner, run_sizes, NULL, "call/name_to_handle_at/sizes");
	runner_case(runner, run_arguments, NULL, "call/name_to_handle_at/arguments");
}
