/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mkdir, mknod, symlink: what is made, with what mode, owner and ACL.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/acl.h"
#include "tests/parity/cross.h"

static long call_mkdir(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_mkdir, path, 0777);
}

static long call_mkdirat(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_mkdirat, dirfd, path, 0750);
}

static long call_mknod(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_mknod, path, S_IFREG | 0666, 0);
}

static long call_mknodat(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_mknodat, dirfd, path, S_IFIFO | 0666, 0);
}

static long call_mknodat_device(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_mknodat, dirfd, path, S_IFCHR | 0666, makedev(1, 3));
}

static long call_symlink(struct scene *scene, int dirfd, const char *path)
{
	(void)scene, (void)dirfd;
	return raw(SYS_symlink, "some/where", path);
}

static long call_symlinkat(struct scene *scene, int dirfd, const char *path)
{
	(void)scene;
	return raw(SYS_symlinkat, "some/where", dirfd, path);
}

/* The text of a link is a name too, of which only the length counts. */
static long call_symlink_text(struct scene *scene, int dirfd, const char *path)
{
	char text[PATH_MAX];
	long length;
	long result = raw(SYS_symlink, path, "new");

	(void)dirfd;
	length = readlink("new", text, sizeof(text));
	tell(scene, "length=%ld", length);
	return result;
}

static const struct path_call calls[] = {
	{"mkdir", call_mkdir, EFFECT_ENTRY, false},
	{"mkdirat", call_mkdirat, EFFECT_ENTRY, true},
	{"mknod", call_mknod, EFFECT_ENTRY, false},
	{"mknodat", call_mknodat, EFFECT_ENTRY, true},
	{"mknodat-device", call_mknodat_device, EFFECT_ENTRY, true},
	{"symlink", call_symlink, EFFECT_ENTRY, false},
	{"symlinkat", call_symlinkat, EFFECT_ENTRY, true},
	{"symlink-text", call_symlink_text, EFFECT_TEXT, false},
};

static void run_kinds(struct scene *scene)
{
	static const struct {
		unsigned long mode, device;
	} kinds[] = {
		{0, 0},
		{0644, 0},
		{S_IFREG | 07777, 0},
		{S_IFREG, 77},
		{S_IFIFO | 0666, 77},
		{S_IFSOCK | 0777, 0},
		{S_IFCHR | 0600, 0},
		{S_IFCHR | 0666, 0x103},
		{S_IFCHR | 0666, ~0ul},
		{S_IFCHR | 0666, 1ul << 32 | 0x103},
		{S_IFBLK | 0600, 0x700},
		{S_IFDIR | 0755, 0},
		{S_IFLNK | 0777, 0},
		{0170000, 0},
		{0030000, 0},
		{1ul << 32 | S_IFIFO | 0644, 0},
		{1ul << 16 | S_IFIFO | 0644, 0},
	};
	static const char *const paths[] = {"new", "regular", "missing/new", "setgid/new"};
	struct stage *stage = stage_new(scene);

	for (size_t k = 0; k < array_length(kinds); k++) {
		for (size_t p = 0; p < array_length(paths); p++) {
			stage_enter(stage);
			tell(scene, " | %lo %lx %s ", kinds[k].mode, kinds[k].device, paths[p]);
			tell_result(scene, raw(SYS_mknodat, AT_FDCWD, paths[p], kinds[k].mode,
						   kinds[k].device));
			stage_tell(stage);
		}
	}
	free(stage);
}

struct mode_case {
	bool is_directory, with_acl;
	const char *parent;
};

static void run_modes(struct scene *scene)
{
	static const unsigned int umasks[] = {0, 022, 077, 0777, 07777};
	static const unsigned int modes[] = {0, 0644, 0777, 01777, 02755, 04755, 07777, 0177777};
	const struct mode_case *test = scene->data;
	struct stage *stage = stage_new(scene);

	for (size_t i = 0; i < array_length(umasks) * array_length(modes); i++) {
		unsigned int mask = umasks[i / array_length(modes)];
		unsigned int mode = modes[i % array_length(modes)];

		stage_enter(stage);
		prepare(scene, !chdir(test->parent));
		if (geteuid() == 0 && !strcmp(test->parent, "setgid")) {
			prepare(scene, !chown(".", 7, 9) && !chmod(".", 02777));
		}
		if (test->with_acl) {
			acl_set_default(scene, ".");
		}
		tell(scene, " | %o %o ", mask, mode);
		umask(mask);
		tell_result(scene, test->is_directory
					   ? raw(SYS_mkdir, "new", mode)
					   : raw(SYS_mknod, "new", S_IFREG | (mode & 07777), 0));
		umask(022);
		tell_path(scene, "new");
		acl_tell(scene, "new", ACL_ACCESS);
		acl_tell(scene, "new", ACL_DEFAULT);
		rmdir("new");
		unlink("new");
		close_range(3, STAGE_FIRST_KEPT - 1, 0);
	}
	free(stage);
}

/* Texts of links: empty, not there, without an end. */
static void run_texts(struct scene *scene)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(scene, pages != MAP_FAILED && !munmap(pages + 4096, 4096));
	memset(pages, 'x', 4096);
	tell_result(scene, raw(SYS_symlink, "", "a"));
	tell_result(scene, raw(SYS_symlink, NULL, "b"));
	tell_result(scene, raw(SYS_symlink, pages, "c"));
	tell_result(scene, raw(SYS_symlink, pages + 1, "d"));
	tell_result(scene, raw(SYS_symlink, NULL, NULL));
	tell_result(scene, raw(SYS_symlink, "x", NULL));
	tell_result(scene, raw(SYS_symlink, NULL, "regular"));
	tell_result(scene, raw(SYS_symlinkat, "", -1, "e"));
	tell_result(scene, raw(SYS_symlinkat, "x", -1, ""));
	pages[4095] = '\0';
	tell(scene, " 4095 ");
	tell_result(scene, raw(SYS_symlink, pages, "f"));
	tell_path(scene, "f");
	tell_result(scene, raw(SYS_symlink, "../../\xff\n", "dir/g"));
	tell_path(scene, "dir/g");
}

void cases_make(struct runner *runner)
{
	static const struct mode_case modes[] = {
		{true, false, "."},
		{true, false, "setgid"},
		{true, false, "sticky"},
		{true, true, "."},
		{true, true, "setgid"},
		{false, false, "."},
		{false, false, "setgid"},
		{false, true, "."},
	};

	cross_path_calls(runner, calls, array_length(calls));
	runner_case(runner, run_kinds, NULL, "call/mknod/kinds");
	for (size_t i = 0; i < array_length(modes); i++) {
		runner_case(runner, run_modes, &modes[i], "call/%s/modes/%s%s",
			modes[i].is_directory ? "mkdir" : "mknod", modes[i].parent,
			modes[i].with_acl ? "/acl" : "");
	}
	runner_case(runner, run_texts, NULL, "call/symlink/texts");
}
