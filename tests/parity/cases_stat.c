/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stat and its kin, statx, statfs: what they say, of what, and into which memory.
 */
#include <fcntl.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

/* What is told of a stat: with the identity of the file only as far as it is the same each time. */
static long told(struct scene *scene, long result, const struct stat *st)
{
	struct stat own;

	if (result == 0) {
		observe_stat(&scene->observation, st);
		tell(scene, " blocks=%ld/%ld old=%d", (long)st->st_blocks, (long)st->st_blksize,
			st->st_mtime == 1000000000);
		tell(scene, " device=%d", !stat(scene->root, &own) && own.st_dev == st->st_dev);
	}
	return result;
}

static long call_stat(struct scene *scene, int dirfd, const char *path)
{
	struct stat st;

	(void)dirfd;
	return told(scene, raw(SYS_stat, path, &st), &st);
}

static long call_lstat(struct scene *scene, int dirfd, const char *path)
{
	struct stat st;

	(void)dirfd;
	return told(scene, raw(SYS_lstat, path, &st), &st);
}

static long call_newfstatat(struct scene *scene, int dirfd, const char *path)
{
	struct stat st;

	return told(scene, raw(SYS_newfstatat, dirfd, path, &st, 0), &st);
}

static long call_nofollow(struct scene *scene, int dirfd, const char *path)
{
	struct stat st;

	return told(scene, raw(SYS_newfstatat, dirfd, path, &st, AT_SYMLINK_NOFOLLOW), &st);
}

static long call_empty(struct scene *scene, int dirfd, const char *path)
{
	struct stat st;

	return told(scene, raw(SYS_newfstatat, dirfd, path, &st, AT_EMPTY_PATH), &st);
}

static long told_statx(struct scene *scene, long result, const struct statx *st)
{
	if (result == 0) {
		tell(scene, " %s %o mask=%x attributes=%llx/%llx nlink=%u size=%llu uid=%u",
			observe_type(st->stx_mode), st->stx_mode & 07777u, st->stx_mask,
			(unsigned long long)st->stx_attributes,
			(unsigned long long)st->stx_attributes_mask,
			S_ISDIR(st->stx_mode) ? 0 : st->stx_nlink, (unsigned long long)st->stx_size,
			st->stx_uid);
		tell(scene, " mount=%d", st->stx_mnt_id != 0);
	}
	return result;
}

static long call_statx(struct scene *scene, int dirfd, const char *path)
{
	struct statx st = {0};

	return told_statx(scene,
		raw(SYS_statx, dirfd, path, AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &st),
		&st);
}

static long call_statx_nofollow(struct scene *scene, int dirfd, const char *path)
{
	struct statx st = {0};

	return told_statx(scene,
		raw(SYS_statx, dirfd, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st),
		&st);
}

static long call_statfs(struct scene *scene, int dirfd, const char *path)
{
	struct statfs st;
	long result = raw(SYS_statfs, path, &st);

	(void)dirfd;
	if (result == 0) {
		tell(scene, "type=%lx size=%ld names=%ld flags=%lx", (long)st.f_type,
			(long)st.f_bsize, (long)st.f_namelen, (long)st.f_flags);
	}
	return result;
}

static const struct path_call calls[] = {
	{"stat", call_stat, EFFECT_NONE, false},
	{"lstat", call_lstat, EFFECT_NONE, false},
	{"newfstatat", call_newfstatat, EFFECT_NONE, true},
	{"newfstatat-nofollow", call_nofollow, EFFECT_NONE, true},
	{"newfstatat-empty", call_empty, EFFECT_NONE, true},
	{"statx-empty", call_statx, EFFECT_NONE, true},
	{"statx-nofollow", call_statx_nofollow, EFFECT_NONE, true},
	{"statfs", call_statfs, EFFECT_NONE, false},
};

static void run_flags(struct scene *scene)
{
	static const unsigned long flags[] = {AT_SYMLINK_FOLLOW, AT_REMOVEDIR, AT_EACCESS, 1,
		AT_NO_AUTOMOUNT, AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC, AT_STATX_SYNC_TYPE,
		AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, 1ul << 32, 0x80000000};
	static const unsigned long masks[] = {
		0, STATX_ALL, 0x80000000, STATX_BTIME, 1ul << 32, 0x7fffffff};
	static const char *const names[] = {"regular", "link", "missing", ""};
	struct stat st;
	struct statx stx;

	for (size_t f = 0; f < array_length(flags); f++) {
		for (size_t n = 0; n < array_length(names); n++) {
			tell(scene, " | %lx %s ", flags[f], names[n]);
			tell_result(scene, raw(SYS_newfstatat, AT_FDCWD, names[n], &st, flags[f]));
			tell_result(scene, raw(SYS_statx, AT_FDCWD, names[n], flags[f], 0, &stx));
		}
	}
	for (size_t m = 0; m < array_length(masks); m++) {
		memset(&stx, 0, sizeof(stx));
		tell(scene, " | mask %lx ", masks[m]);
		tell_result(scene, raw(SYS_statx, AT_FDCWD, "regular", 0, masks[m], &stx));
		tell(scene, " %x %u", stx.stx_mask, stx.stx_blksize);
	}
	tell_result(scene, raw(SYS_newfstatat, -1, NULL, &st, 1));
	tell_result(scene, raw(SYS_statx, -1, NULL, 1, 0x80000000, &stx));
}

static const struct {
	const char *name;
	int protection;
	int from_end; /* bytes before the hole */
} rooms[] = {
	{"whole", PROT_READ | PROT_WRITE, 4096},
	{"read-only", PROT_READ, 4096},
	{"none", PROT_NONE, 4096},
	{"write-only", PROT_WRITE, 4096},
	{"cut", PROT_READ | PROT_WRITE, 20},
	{"last-byte", PROT_READ | PROT_WRITE, 1},
	{"unmapped", PROT_READ | PROT_WRITE, 0},
	{"exact", PROT_READ | PROT_WRITE, sizeof(struct stat)},
	{"exact-statx", PROT_READ | PROT_WRITE, sizeof(struct statx)},
	{"exact-statfs", PROT_READ | PROT_WRITE, sizeof(struct statfs)},
};

/* What is given back, and what was written where not everything could be. */
static void run_rooms(struct scene *scene)
{
	for (size_t i = 0; i < array_length(rooms); i++) {
		char *page = mmap(
			NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *room = page + 4096 - rooms[i].from_end;

		prepare(scene, page != MAP_FAILED && !munmap(page + 4096, 4096));
		prepare(scene, !mprotect(page, 4096, rooms[i].protection));
		tell(scene, " | %s ", rooms[i].name);
		tell_result(scene, raw(SYS_stat, "regular", room));
		tell_result(scene, raw(SYS_lstat, "missing", room));
		tell_result(scene, raw(SYS_newfstatat, AT_FDCWD, "link", room, 0));
		tell_result(scene, raw(SYS_statx, AT_FDCWD, "regular", 0, STATX_BASIC_STATS, room));
		tell_result(scene, raw(SYS_statx, AT_FDCWD, "missing", 0, 0, room));
		tell_result(scene, raw(SYS_statfs, "regular", room));
		tell_result(scene, raw(SYS_statfs, "missing", room));
	}
	tell_result(scene, raw(SYS_stat, "regular", NULL));
	tell_result(scene, raw(SYS_stat, NULL, NULL));
	tell_result(scene, raw(SYS_statx, AT_FDCWD, "regular", 0, 0, NULL));
	tell_result(scene, raw(SYS_stat, "regular", 0xffffffff81000000));
}

void cases_stat(struct runner *runner)
{
	cross_path_calls(runner, calls, array_length(calls));
	runner_case(runner, run_flags, NULL, "call/stat/flags");
	runner_case(runner, run_rooms, NULL, "call/stat/rooms");
}
