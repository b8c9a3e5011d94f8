/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of every length and pointers of every kind: at the end of a page, across pages, into
 * nothing, without an end.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/parity.h"
#include "tests/parity/tree.h"

#define PAGE 4096

struct pointer_case {
	const char *name;
	/* Returns the pointer that is passed. */
	const char *(*make)(struct scene *scene);
};

/* Two pages, the second of which is not mapped. */
static char *page_before_hole(struct scene *scene)
{
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(scene, pages != MAP_FAILED && !munmap(pages + PAGE, PAGE));
	return pages;
}

static const char *at_end(struct scene *scene, const char *name, size_t length)
{
	char *start = page_before_hole(scene) + PAGE - length;

	memcpy(start, name, length);
	return start;
}

static const char *null_pointer(struct scene *scene)
{
	(void)scene;
	return NULL;
}

static const char *small_number(struct scene *scene)
{
	(void)scene;
	return (const char *)1;
}

static const char *kernel_address(struct scene *scene)
{
	(void)scene;
	return (const char *)0xffffffff81000000;
}

static const char *not_canonical(struct scene *scene)
{
	(void)scene;
	return (const char *)0x8000000000000000;
}

static const char *unmapped(struct scene *scene)
{
	return page_before_hole(scene) + PAGE;
}

static const char *without_rights(struct scene *scene)
{
	char *page = page_before_hole(scene);

	strcpy(page, "regular");
	prepare(scene, !mprotect(page, PAGE, PROT_NONE));
	return page;
}

static const char *write_only_page(struct scene *scene)
{
	char *page = page_before_hole(scene);

	strcpy(page, "regular");
	prepare(scene, !mprotect(page, PAGE, PROT_WRITE));
	return page;
}

static const char *ends_with_page(struct scene *scene)
{
	return at_end(scene, "regular", sizeof("regular"));
}

static const char *unterminated_at_end(struct scene *scene)
{
	return at_end(scene, "regular", strlen("regular"));
}

static const char *one_byte_at_end(struct scene *scene)
{
	return at_end(scene, "", 1);
}

static const char *across_pages(struct scene *scene)
{
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(scene, pages != MAP_FAILED);
	strcpy(pages + PAGE - 3, "regular");
	return pages + PAGE - 3;
}

/* A mapping of a file that is shorter than the mapping: the second page gives SIGBUS. */
static const char *beyond_end_of_file(struct scene *scene)
{
	int fd = raw_open("regular", O_RDONLY, 0);
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	prepare(scene, fd >= 0 && pages != MAP_FAILED && !close(fd));
	return pages + PAGE;
}

static const char *shared_memory(struct scene *scene)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	prepare(scene, page != MAP_FAILED);
	strcpy(page, "regular");
	return page;
}

static const char *without_end(struct scene *scene)
{
	size_t size = 4 * PAGE;
	char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(scene, pages != MAP_FAILED);
	memset(pages, '/', size);
	return pages;
}

/* PATH_MAX - 1 bytes and no NUL before the hole: too long before it is faulty, or not. */
static const char *long_before_hole(struct scene *scene)
{
	char *page = page_before_hole(scene);

	memset(page, '/', PAGE);
	return page;
}

static const char *nearly_long_before_hole(struct scene *scene)
{
	char *page = page_before_hole(scene);

	memset(page, '/', PAGE);
	return page + 1;
}

static const struct pointer_case pointers[] = {
	{"NULL", null_pointer},
	{"1", small_number},
	{"kernel", kernel_address},
	{"not-canonical", not_canonical},
	{"unmapped", unmapped},
	{"PROT_NONE", without_rights},
	{"PROT_WRITE", write_only_page},
	{"ends-with-page", ends_with_page},
	{"unterminated-at-page-end", unterminated_at_end},
	{"empty-at-page-end", one_byte_at_end},
	{"across-pages", across_pages},
	{"beyond-end-of-file", beyond_end_of_file},
	{"shared-memory", shared_memory},
	{"without-end", without_end},
	{"PATH_MAX-before-hole", long_before_hole},
	{"PATH_MAX-1-before-hole", nearly_long_before_hole},
};

static void run_pointer(struct scene *scene)
{
	const struct pointer_case *test = scene->data;
	const char *pointer = test->make(scene);

	tell_fd(scene, raw_open(pointer, O_RDONLY, 0));
	tell(scene, " creat ");
	tell_result(scene, raw(SYS_creat, pointer, 0600));
	tell(scene, " openat ");
	tell_result(scene, raw_openat(-1, pointer, O_RDONLY, 0));
	tell(scene, " openat2 ");
	tell_result(scene, raw_openat2(AT_FDCWD, pointer, O_RDONLY, 0, 0));
	tree_tell_changes(scene);
}

static void run_component(struct scene *scene)
{
	size_t length = *(const size_t *)scene->data;
	char name[PATH_MAX + 16];

	memset(name, 'n', length);
	name[length] = '\0';
	tell_result(scene, raw_open(name, O_RDONLY, 0));
	tell(scene, " create ");
	tell_fd(scene, raw_open(name, O_RDWR | O_CREAT, 0640));
	strcpy(name + length, "/x");
	tell(scene, " below ");
	tell_result(scene, raw_open(name, O_RDONLY, 0));
}

/* "././././regular" of exactly so many bytes, without the NUL. */
static void run_length(struct scene *scene)
{
	size_t length = *(const size_t *)scene->data;
	size_t head = length - strlen("regular");
	char name[2 * PATH_MAX];

	for (size_t i = 0; i < head; i++) {
		name[i] = i % 2 || i == head - 1 ? '/' : '.';
	}
	strcpy(name + head, "regular");
	tell_fd(scene, raw_open(name, O_RDONLY, 0));
	tell(scene, " openat2 ");
	tell_result(scene, raw_openat2(AT_FDCWD, name, O_RDONLY, 0, 0));
}

/* The working directory's own name is longer than PATH_MAX, the names asked for are short. */
static void run_deep(struct scene *scene)
{
	int levels = *(const int *)scene->data;
	char name[201];

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < levels; i++) {
		prepare(scene, !mkdir(name, 0755) && !chdir(name));
	}
	tell_fd(scene, raw_open("new", O_RDWR | O_CREAT | O_EXCL, 0600));
	tell(scene, " again ");
	tell_fd(scene, raw_open("new", O_RDONLY, 0));
	tell(scene, " missing ");
	tell_result(scene, raw_open("missing", O_RDONLY, 0));
	tell(scene, " above ");
	tell_fd(scene, raw_open("..", O_RDONLY | O_DIRECTORY, 0));
}

static void run_many_links(struct scene *scene)
{
	int count = *(const int *)scene->data;
	char name[32], target[32] = "regular";

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		prepare(scene, !symlink(target, name));
		strcpy(target, name);
	}
	tell_fd(scene, raw_open(name, O_RDONLY, 0));
	tell(scene, " write ");
	tell_result(scene, raw_open(name, O_WRONLY | O_CREAT, 0600));
}

struct link_case {
	const char *target, *path;
	int flags;
};

/* A link with this target, then an open through it. */
static const struct link_case links[] = {
	{"missing", "l", O_WRONLY | O_CREAT},
	{"missing", "l", O_WRONLY | O_CREAT | O_EXCL},
	{"dir/missing", "l", O_WRONLY | O_CREAT},
	{"missing/", "l", O_WRONLY | O_CREAT},
	{"nodir/missing", "l", O_WRONLY | O_CREAT},
	{"dangling", "l", O_WRONLY | O_CREAT},
	{"dir/", "l", O_RDONLY},
	{"regular/", "l", O_RDONLY},
	{".", "l", O_RDONLY},
	{"..", "l/missing", O_RDONLY},
	{"/", "l", O_RDONLY},
	{"//", "l/dev/null", O_RDWR},
	{"/proc/self/cwd/regular", "l", O_RDONLY},
	{"/proc/self", "l/cwd/regular", O_RDONLY},
	{"/dev/fd/0", "l", O_RDONLY},
	{"l", "l/x", O_RDONLY},
	{"closed", "l/inner", O_RDONLY},
	{"dir", "l/../regular", O_RDONLY},
	{"dir", "l/./inner", O_RDONLY},
	{"a b\tc", "l", O_WRONLY | O_CREAT},
	{"\xff\xfe", "l", O_WRONLY | O_CREAT},
};

static void run_link(struct scene *scene)
{
	const struct link_case *test = scene->data;

	prepare(scene, !symlink(test->target, "l"));
	tell_fd(scene, raw_open(test->path, test->flags, 0644));
	tree_tell_changes(scene);
}

static void cases_length(struct runner *runner)
{
	static const size_t components[] = {1, 254, 255, 256, 4000};
	static const size_t lengths[] = {255, 256, 4093, 4094, 4095, 4096, 4097, 5000};
	static const int counts[] = {1, 39, 40, 41, 60};
	static const int levels[] = {25, 45, 100};

	for (size_t i = 0; i < array_length(components); i++) {
		runner_case(runner, run_component, &components[i], "name/%zu", components[i]);
	}
	for (size_t i = 0; i < array_length(lengths); i++) {
		runner_case(runner, run_length, &lengths[i], "path/%zu", lengths[i]);
	}
	for (size_t i = 0; i < array_length(counts); i++) {
		runner_case(runner, run_many_links, &counts[i], "links/%d", counts[i]);
	}
	for (size_t i = 0; i < array_length(levels); i++) {
		runner_case(
			runner, run_deep, &levels[i], "path/deeper-than-PATH_MAX/%d", levels[i]);
	}
}

void cases_path(struct runner *runner)
{
	for (size_t i = 0; i < array_length(pointers); i++) {
		runner_case(runner, run_pointer, &pointers[i], "pointer/%s", pointers[i].name);
	}
	cases_length(runner);
	for (size_t i = 0; i < array_length(links); i++) {
		runner_case(runner, run_link, &links[i], "through-link/%zu:%s/%s/%o", i,
			links[i].target, links[i].path, (unsigned int)links[i].flags);
	}
}
