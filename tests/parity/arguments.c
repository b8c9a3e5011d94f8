/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of names that calls are given: of every object in the tree, by links, with dots and
 * slashes, of every length, by pointers of every kind, from working directories of every kind.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/cross.h"

#define PAGE               4096
#define HARMLESS_ELSEWHERE (EFFECT_NONE | EFFECT_ENTRY)

#define PLAIN(text)                        \
	{                                  \
		.name = text, .path = text \
	}
#define OUTSIDE(text, effect)                                    \
	{                                                        \
		.name = text, .path = text, .harmless = (effect) \
	}

static const struct path_argument objects[] = {
	PLAIN("regular"),
	PLAIN("empty"),
	PLAIN("readonly"),
	PLAIN("writeonly"),
	PLAIN("forbidden"),
	PLAIN("executable"),
	PLAIN("setuid"),
	PLAIN("fifo"),
	PLAIN("socket"),
	PLAIN("dir"),
	PLAIN("dir/inner"),
	PLAIN("closed"),
	PLAIN("closed/inner"),
	PLAIN("closed/missing"),
	PLAIN("sticky"),
	PLAIN("setgid"),
	PLAIN("missing"),
	PLAIN("missing/child"),
	PLAIN("regular/child"),
	PLAIN("setgid/missing"),
	OUTSIDE("/dev/null", EFFECT_NONE),
};

static const struct path_argument links[] = {
	PLAIN("link"),
	PLAIN("link/"),
	PLAIN("link/."),
	PLAIN("chain"),
	PLAIN("dirlink"),
	PLAIN("dirlink/"),
	PLAIN("dirlink/."),
	PLAIN("dirlink/.."),
	PLAIN("dirlink/inner"),
	PLAIN("dirlink/missing"),
	PLAIN("dangling"),
	PLAIN("dangling/"),
	PLAIN("dangling/x"),
	PLAIN("loop"),
	PLAIN("loop/"),
	PLAIN("loop/x"),
	PLAIN("parent"),
	PLAIN("absolute"),
	OUTSIDE("null", HARMLESS_ELSEWHERE),
};

static const struct path_argument shapes[] = {
	PLAIN(""),
	PLAIN("."),
	PLAIN("./"),
	PLAIN(".."),
	PLAIN("../"),
	PLAIN("../tree/regular"),
	PLAIN("dir/"),
	PLAIN("dir//"),
	PLAIN("dir/."),
	PLAIN("dir/./"),
	PLAIN("dir/.."),
	PLAIN("dir/../"),
	PLAIN("dir/../regular"),
	PLAIN("dir//inner"),
	PLAIN("./regular"),
	PLAIN(".//./regular"),
	PLAIN("regular/"),
	PLAIN("regular/."),
	PLAIN("regular/.."),
	PLAIN("missing/"),
	PLAIN("missing/."),
	PLAIN("missing/.."),
	PLAIN("a b\tc"),
	PLAIN("\xff\xfe"),
	OUTSIDE("/", HARMLESS_ELSEWHERE),
	OUTSIDE("//", HARMLESS_ELSEWHERE),
	OUTSIDE("/..", HARMLESS_ELSEWHERE),
	OUTSIDE("/.", HARMLESS_ELSEWHERE),
};

static const struct path_argument others[] = {
#define OTHER(text)                                          \
	{                                                    \
		.name = text, .path = text, .as_other = true \
	}
	OTHER("regular"),
	OTHER("forbidden"),
	OTHER("dir"),
	OTHER("dir/inner"),
	OTHER("dir/missing"),
	OTHER("closed"),
	OTHER("closed/inner"),
	OTHER("closed/missing"),
	OTHER("sticky"),
	OTHER("sticky/missing"),
	OTHER("setgid/missing"),
	OTHER("link"),
	OTHER("dirlink/inner"),
	OTHER("fifo"),
#undef OTHER
};

static char *page_before_hole(struct scene *scene)
{
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(scene, pages != MAP_FAILED && !munmap(pages + PAGE, PAGE));
	return pages;
}

static const char *null_pointer(struct scene *scene, const char *path, int *dirfdp)
{
	(void)scene, (void)path, (void)dirfdp;
	return NULL;
}

static const char *small_number(struct scene *scene, const char *path, int *dirfdp)
{
	(void)scene, (void)path, (void)dirfdp;
	return (const char *)1;
}

static const char *kernel_address(struct scene *scene, const char *path, int *dirfdp)
{
	(void)scene, (void)path, (void)dirfdp;
	return (const char *)0xffffffff81000000;
}

static const char *unmapped(struct scene *scene, const char *path, int *dirfdp)
{
	(void)path, (void)dirfdp;
	return page_before_hole(scene) + PAGE;
}

static const char *without_rights(struct scene *scene, const char *path, int *dirfdp)
{
	char *page = page_before_hole(scene);

	(void)dirfdp;
	strcpy(page, path);
	prepare(scene, !mprotect(page, PAGE, PROT_NONE));
	return page;
}

static const char *ends_with_page(struct scene *scene, const char *path, int *dirfdp)
{
	(void)dirfdp;
	return strcpy(page_before_hole(scene) + PAGE - strlen(path) - 1, path);
}

static const char *unterminated(struct scene *scene, const char *path, int *dirfdp)
{
	(void)dirfdp;
	return memcpy(page_before_hole(scene) + PAGE - strlen(path), path, strlen(path));
}

static const char *without_end(struct scene *scene, const char *path, int *dirfdp)
{
	(void)path, (void)dirfdp;
	return memset(page_before_hole(scene), '/', PAGE);
}

static const struct path_argument pointers[] = {
	{.name = "NULL", .make = null_pointer},
	{.name = "1", .make = small_number},
	{.name = "kernel", .make = kernel_address},
	{.name = "unmapped", .make = unmapped},
	{.name = "PROT_NONE", .make = without_rights, .path = "regular"},
	{.name = "ends-with-page", .make = ends_with_page, .path = "regular"},
	{.name = "empty-at-page-end", .make = ends_with_page, .path = ""},
	{.name = "unterminated", .make = unterminated, .path = "regular"},
	{.name = "PATH_MAX-before-hole", .make = without_end},
};

/* One component of as many bytes as `path` says, or "././regular". */
static const char *component(struct scene *scene, const char *path, int *dirfdp)
{
	static char name[2 * PATH_MAX];
	int length = atoi(path);

	(void)scene, (void)dirfdp;
	memset(name, 'n', (size_t)length);
	strcpy(name + length, strchr(path, '/') ? "/x" : "");
	return name;
}

static const char *whole(struct scene *scene, const char *path, int *dirfdp)
{
	static char name[2 * PATH_MAX];
	int head = atoi(path) - (int)strlen("regular");

	(void)scene, (void)dirfdp;
	for (int i = 0; i < head; i++) {
		name[i] = i % 2 || i == head - 1 ? '/' : '.';
	}
	strcpy(name + head, "regular");
	return name;
}

static const char *many_links(struct scene *scene, const char *path, int *dirfdp)
{
	static char name[32];
	char target[32] = "dir";

	(void)dirfdp;
	for (int i = 0; i < atoi(path); i++) {
		snprintf(name, sizeof(name), "l%d", i);
		prepare(scene, !symlink(target, name));
		strcpy(target, name);
	}
	return strchr(path, '/') ? strcat(name, "/inner") : name;
}

#define LENGTH(text, function)                                             \
	{                                                                  \
		.name = #function " " text, .make = function, .path = text \
	}
#define SPOILED(text, function)                                                            \
	{                                                                                  \
		.name = #function " " text, .make = function, .path = text, .spoils = true \
	}

static const struct path_argument lengths[] = {
	LENGTH("254", component),
	LENGTH("255", component),
	LENGTH("256", component),
	LENGTH("255/x", component),
	LENGTH("256/x", component),
	LENGTH("4000", component),
	LENGTH("4095", component),
	LENGTH("4096", component),
	LENGTH("4094", whole),
	LENGTH("4095", whole),
	LENGTH("4096", whole),
	LENGTH("5000", whole),
	SPOILED("39", many_links),
	SPOILED("40", many_links),
	SPOILED("41", many_links),
	SPOILED("40/", many_links),
	SPOILED("41/", many_links),
};

/* The working directory has been removed, moved, or made unsearchable. */
static const char *removed(struct scene *scene, const char *path, int *dirfdp)
{
	(void)dirfdp;
	prepare(scene, !mkdir("gone", 0755) && !chdir("gone") && !rmdir("../gone"));
	return path;
}

static const char *moved(struct scene *scene, const char *path, int *dirfdp)
{
	(void)dirfdp;
	prepare(scene, !chdir("dir") && !rename("../dir", "../sticky/moved"));
	return path;
}

static const char *unsearchable(struct scene *scene, const char *path, int *dirfdp)
{
	(void)dirfdp;
	prepare(scene, !chdir("dir") && !chmod(".", 0));
	return path;
}

static const char *deep(struct scene *scene, const char *path, int *dirfdp)
{
	char name[201];

	(void)dirfdp;
	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 22; i++) {
		if (mkdir(name, 0755) || chdir(name)) {
			tell(scene, " only %d deep: %s", i, observe_errno(errno));
			break;
		}
	}
	tell(scene, " in it ");
	tell_result(scene, raw_open("inner", O_WRONLY | O_CREAT, 0644));
	return path;
}

#define FROM(function, text)                                                               \
	{                                                                                  \
		.name = #function " " text, .make = function, .path = text, .spoils = true \
	}

static const struct path_argument places[] = {
	FROM(removed, "inner"),
	FROM(removed, "."),
	FROM(removed, ".."),
	FROM(removed, "../regular"),
	FROM(removed, "/proc/self/cwd"),
	FROM(removed, "/proc/self/cwd/inner"),
	FROM(moved, "inner"),
	FROM(moved, ".."),
	FROM(moved, "../missing"),
	FROM(moved, "../../regular"),
	FROM(unsearchable, "inner"),
	FROM(unsearchable, "."),
	FROM(unsearchable, ".."),
	FROM(unsearchable, "missing"),
	FROM(deep, "inner"),
	FROM(deep, "missing"),
	FROM(deep, "."),
};

static const struct path_argument proc[] = {
	PLAIN("/proc/self/cwd"),
	PLAIN("/proc/self/cwd/"),
	PLAIN("/proc/self/cwd/regular"),
	PLAIN("/proc/self/cwd/missing"),
	PLAIN("/proc/self/cwd/link"),
	PLAIN("/proc/self/cwd/dir/.."),
	PLAIN("/proc/thread-self/cwd/regular"),
	PLAIN("/proc/self/missing"),
	OUTSIDE("/proc/self", HARMLESS_ELSEWHERE),
	OUTSIDE("/proc/self/", HARMLESS_ELSEWHERE),
	OUTSIDE("/proc/thread-self", HARMLESS_ELSEWHERE),
	OUTSIDE("/proc/self/exe", HARMLESS_ELSEWHERE),
	OUTSIDE("/proc/self/root", HARMLESS_ELSEWHERE),
	OUTSIDE("/proc/self/root/", HARMLESS_ELSEWHERE),
	OUTSIDE("/proc/self/comm", EFFECT_NONE),
	OUTSIDE("/proc/self/fd", EFFECT_NONE),
	OUTSIDE("/proc/self/ns/mnt", EFFECT_NONE),
	OUTSIDE("/proc/1/root", EFFECT_NONE),
	OUTSIDE("/proc/missing", HARMLESS_ELSEWHERE),
	OUTSIDE("/dev/fd", EFFECT_NONE),
	OUTSIDE("/dev/stdin", EFFECT_NONE),
	OUTSIDE("/dev/tty", EFFECT_NONE),
};

#define GROUP(array)                               \
	{                                          \
#array, array, array_length(array) \
	}

const struct path_group groups_of_names[] = {
	GROUP(objects),
	GROUP(links),
	GROUP(shapes),
	GROUP(others),
	GROUP(pointers),
	GROUP(lengths),
	GROUP(places),
	GROUP(proc),
	{NULL, NULL, 0},
};
