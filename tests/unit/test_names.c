/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of paths: tables, and name_clean() against a slow and simple reference on names made of
 * all that can go wrong. And what a directory is called that lies deeper than names are long.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/names.h"
#include "daemon/broker/request.h"
#include "tests/unit/policy_text.h"

static void clean_leaves_out_what_says_nothing(void **state)
{
	static const struct {
		const char *path, *clean; /* NULL: cannot be understood as text */
	} cases[] = {
		{"/", "/"},
		{"//", "/"},
		{"///", "/"},
		{"/a", "/a"},
		{"a", "a"},
		{"a/", "a/"},
		{"a//", "a/"},
		{"/a//b", "/a/b"},
		{"//a///b//", "/a/b/"},
		{"./a", "a"},
		{"././a/./b", "a/b"},
		{"/./a", "/a"},
		{"/.a/..b/...", "/.a/..b/..."},
		{"..a", "..a"},
		{"a..", "a.."},
		{"a b/\n", "a b/\n"},
		{"", NULL},
		{".", NULL},
		{"./", NULL},
		{"/.", NULL},
		{"/./", NULL},
		{"a/.", NULL},
		{"a/./", NULL},
		{"a/.//", NULL},
		{"..", NULL},
		{"../a", NULL},
		{"/..", NULL},
		{"a/..", NULL},
		{"a/../b", NULL},
		{"a/b/../", NULL},
	};
	char clean[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		bool understood = name_clean(clean, sizeof(clean), cases[i].path);
		assert_int_equal(understood, cases[i].clean != NULL);
		if (understood) {
			assert_string_equal(clean, cases[i].clean);
		}
	}
}

static void clean_does_not_write_beyond_its_room(void **state)
{
	static const char path[] = "/abc/./defg/h";
	char clean[64];

	(void)state;
	for (size_t capacity = 1; capacity < sizeof(path) + 4; capacity++) {
		memset(clean, 0x7f, sizeof(clean));
		bool fits = name_clean(clean, capacity, path);
		for (size_t i = capacity; i < sizeof(clean); i++) {
			assert_int_equal(clean[i], 0x7f);
		}
		if (fits) {
			assert_string_equal(clean, "/abc/defg/h");
		}
	}
	assert_true(name_clean(clean, sizeof(clean), path));
}

/* By splitting and joining; no state but the list. */
static bool reference_clean(char *clean, const char *path)
{
	char copy[PATH_MAX], *save = NULL;
	size_t count = 0;
	const char *last = "";
	bool absolute = path[0] == '/';

	strcpy(copy, path);
	strcpy(clean, absolute ? "/" : "");
	for (char *part = strtok_r(copy, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		if (strcmp(part, "..") == 0) {
			return false;
		}
		last = part;
		if (strcmp(part, ".") != 0) {
			strcat(clean, count++ ? "/" : "");
			strcat(clean, part);
		}
	}
	if (strcmp(last, ".") == 0 || clean[0] == '\0') {
		return false;
	}
	if (count > 0 && path[strlen(path) - 1] == '/') {
		strcat(clean, "/");
	}
	return true;
}

static void clean_is_what_splitting_and_joining_gives(void **state)
{
	static const char *const pieces[] = {
		"/", "/", "//", ".", "..", "a", "bc", ".d", "...", "/."};
	char path[PATH_MAX], clean[PATH_MAX], expected[PATH_MAX];
	unsigned int seed = 12345, understood = 0;

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		path[0] = '\0';
		for (int i = rand_r(&seed) % 9; i >= 0; i--) {
			strcat(path, pieces[(unsigned int)rand_r(&seed) % array_length(pieces)]);
		}
		bool is = name_clean(clean, sizeof(clean), path);
		if (is != reference_clean(expected, path) || (is && strcmp(clean, expected) != 0)) {
			fail_msg("'%s' became '%s', not '%s'", path, is ? clean : "-", expected);
		}
		understood += is;
	}
	/* The generator makes both kinds, and many of each. */
	assert_in_range(understood, 2000, 18000);
}

static void normalise_resolves_dots_as_text(void **state)
{
	static const char *const cases[][2] = {
		{"/", "/"},
		{"/a", "/a"},
		{"/a/", "/a"},
		{"/a/.", "/a"},
		{"/a/..", "/"},
		{"/..", "/"},
		{"/../../a", "/a"},
		{"/a/b/../c", "/a/c"},
		{"/a//b/./../../..//c/", "/c"},
		{"/a/..b/.c", "/a/..b/.c"},
		{"/abc/def/../../gh", "/gh"},
	};
	char name[64];

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		strcpy(name, cases[i][0]);
		name_normalise(name);
		assert_string_equal(name, cases[i][1]);
	}
}

static void append_joins_by_one_slash(void **state)
{
	char name[8] = "/a";

	(void)state;
	assert_int_equal(name_append(name, sizeof(name), "bcd"), 0);
	assert_string_equal(name, "/a/bcd");
	strcpy(name, "/");
	assert_int_equal(name_append(name, sizeof(name), "bcdefg"), 0);
	assert_string_equal(name, "/bcdefg");
	strcpy(name, "/");
	assert_int_equal(name_append(name, sizeof(name), "bcdefgh"), -ENAMETOOLONG);
	assert_string_equal(name, "/");
	strcpy(name, "/a");
	assert_int_equal(name_append(name, sizeof(name), "bcdef"), -ENAMETOOLONG);
	assert_string_equal(name, "/a");
}

static void trim_leaves_the_root(void **state)
{
	static const char *const cases[][2] = {
		{"/", "/"}, {"//", "/"}, {"/a/", "/a"}, {"/a//", "/a"}, {"/a", "/a"}, {"", ""}};
	char name[16];

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		strcpy(name, cases[i][0]);
		name_trim(name);
		assert_string_equal(name, cases[i][1]);
	}
}

static void below_means_a_component(void **state)
{
	(void)state;
	assert_true(name_is_below("/proc", "/proc"));
	assert_true(name_is_below("/proc/1", "/proc"));
	assert_true(name_is_below("/proc/", "/proc"));
	assert_false(name_is_below("/process", "/proc"));
	assert_false(name_is_below("/pro", "/proc"));
	assert_false(name_is_below("/", "/proc"));
	assert_false(name_is_below("proc/1", "/proc"));
}

static void rest_and_join_are_opposites(void **state)
{
	static const char *const names[][3] = {
		{"/a/b", "/a", "/b"}, {"/a", "/a", ""}, {"/a", "/", "/a"}, {"/", "/", ""}};
	char joined[8];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_string_equal(name_rest(names[i][0], names[i][1]), names[i][2]);
		assert_int_equal(name_join(joined, sizeof(joined), names[i][1], names[i][2]), 0);
		assert_string_equal(joined, names[i][0]);
	}
	assert_null(name_rest("/ab", "/a"));
	assert_null(name_rest("/", "/a"));
	assert_int_equal(name_join(joined, sizeof(joined), "/abcd", "/efg"), -ENAMETOOLONG);
}

/* Goes as many directories down, below the current one. Each has 200 bytes. */
static void descend(int levels)
{
	char name[201];

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < levels; i++) {
		assert_int_equal(mkdir(name, 0755), 0);
		assert_int_equal(chdir(name), 0);
	}
}

/* By a policy of this text. 0 or a negative errno. */
static int name_here(const char *text, char *name)
{
	cleanup_policy struct policy *policy = policy_text(text);
	cleanup_fd int proc_fds = open("/proc/self/fd", O_PATH | O_CLOEXEC);
	cleanup_fd int here = open(".", O_PATH | O_CLOEXEC);
	char no_root[] = "";
	struct broker broker = {.policy = policy, .root_name = no_root, .proc_fds = proc_fds};

	assert_true(proc_fds >= 0 && here >= 0);
	return name_of_fd(&broker, here, name, NAME_ROOM);
}

static void dots_are_two_at_most(void **state)
{
	static const char *const dots[] = {".", "..", "./", "../", "..//"};
	static const char *const names[] = {
		"", "/", "...", "..name", ".name", "name..", "..name/", "../name", "/.."};

	(void)state;
	for (size_t i = 0; i < array_length(dots); i++) {
		assert_true(name_is_dots(dots[i]));
	}
	for (size_t i = 0; i < array_length(names); i++) {
		assert_false(name_is_dots(names[i]));
	}
}

/* A stand-in is no name where rules tell names apart. */
static void deep_directories_have_names_where_none_is_told_apart(void **state)
{
	static const char told[] = "[files]\ndeny all = /**/secret\ndefault = allow\n";
	static const char same[] = "[files]\ndeny all = /elsewhere/**\ndefault = allow\n";
	cleanup_fd int start = open(".", O_PATH | O_CLOEXEC);
	char name[NAME_ROOM];

	(void)state;
	descend(25);
	assert_int_equal(name_here(told, name), 0);
	assert_true(strlen(name) > (size_t)25 * 200);
	assert_int_equal(name_here(same, name), 0);
	assert_string_equal(name + strlen(name) - strlen("d/(too deep)"), "d/(too deep)");
	assert_true(strlen(name) < PATH_MAX + strlen("/(too deep)"));
	descend(25);
	assert_int_equal(name_here(told, name), -ENAMETOOLONG);
	assert_int_equal(name_here(same, name), 0);
	assert_int_equal(fchdir(start), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_leaves_out_what_says_nothing),
		cmocka_unit_test(clean_does_not_write_beyond_its_room),
		cmocka_unit_test(clean_is_what_splitting_and_joining_gives),
		cmocka_unit_test(normalise_resolves_dots_as_text),
		cmocka_unit_test(append_joins_by_one_slash),
		cmocka_unit_test(trim_leaves_the_root),
		cmocka_unit_test(below_means_a_component),
		cmocka_unit_test(rest_and_join_are_opposites),
		cmocka_unit_test(dots_are_two_at_most),
		cmocka_unit_test(deep_directories_have_names_where_none_is_told_apart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	policy_text_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
