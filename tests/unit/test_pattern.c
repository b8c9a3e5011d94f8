/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path patterns: what they match, that they agree with a naive matcher that only transcribes the
 * definition, and that no pattern takes long on any path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/pattern.h"

static bool matches(const char *text, const char *path)
{
	struct pattern *pattern = NULL;
	struct mistake mistake;
	bool result;

	assert_int_equal(pattern_path_new(&pattern, text, NULL, strlen(text), &mistake), 0);
	result = pattern_matches(pattern, path, strlen(path));
	pattern_free(pattern);
	return result;
}

static const struct {
	const char *pattern, *path;
	bool matches;
} cases[] = {
	{"/", "/", true},
	{"/", "/a", false},
	{"/**", "/", true},
	{"/**", "/a/b", true},
	{"/*", "/", false},
	{"/*", "/a", true},
	{"/*", "/a/b", false},
	{"/usr/**", "/usr", true},
	{"/usr/**", "/usr/lib/x", true},
	{"/usr/**", "/usrx", false},
	{"/usr/**", "/", false},
	{"/usr/**", "/us", false},
	{"/usr", "/usr", true},
	{"/usr", "/usr/lib", false},
	{"/etc/ld.so.*", "/etc/ld.so.cache", true},
	{"/etc/ld.so.*", "/etc/ld.so.", true},
	{"/etc/ld.so.*", "/etc/ld.so.conf.d/x", false},
	{"/a/**/z", "/a/z", true},
	{"/a/**/z", "/a/b/c/z", true},
	{"/a/**/z", "/a/b/c/z/y", false},
	{"/a/**/m/**/z", "/a/m/m/x/z", true},
	{"/a/**/m/*/z", "/a/m/m/z", true},
	{"/a/**/m/*/z", "/a/m/z", false},
	{"/**/.git/**", "/home/u/p/.git", true},
	{"/**/.git/**", "/home/u/p/.git/hooks/x", true},
	{"/**/.git/**", "/home/u/p/.gitx/y", false},
	{"/*/b", "/a/b", true},
	{"/*/b", "/b", false},
	{"/a?c", "/abc", true},
	{"/a?c", "/ac", false},
	{"/a?c", "/a/c", false},
	{"/?", "/\xc3\xa4", true},
	{"/??", "/\xc3\xa4", false},
	{"/?", "/\xff", true},
	{"/*\xa0", "/\xf4\xa0\xa0\xa0", true}, /* beyond the last character */
	{"/????", "/\xf4\xa0\xa0\xa0", true},
	{"/???", "/\xed\xa0\x80", true}, /* a surrogate */
	{"/???", "/\xe0\x80\xaf", true}, /* not the shortest form */
	{"/[abc]x", "/bx", true},
	{"/[abc]x", "/dx", false},
	{"/[a-c]x", "/bx", true},
	{"/[a-c]x", "/-x", false},
	{"/[a-]x", "/-x", true},
	{"/[!a-c]x", "/dx", true},
	{"/[!a-c]x", "/ax", false},
	{"/[^a]x", "/bx", true},
	{"/[]]x", "/]x", true},
	{"/[[]x", "/[x", true},
	{"/[*]x", "/*x", true},
	{"/[*]x", "/ax", false},
	{"/[\xc3\xa4\xc3\xb6]", "/\xc3\xb6", true},
	{"/[!\xc3\xa4]", "/\xc3\xb6", true},
	{"/*a*b*c", "/xxaxxbxxc", true},
	{"/*a*b*c", "/xxaxxcxxb", false},
	{"/.*", "/.ssh", true},
	{"/*", "/.ssh", true},
	{"/a$b{c}", "/a$b{c}", true},
	{"/a\\*b", "/a\\xb", true},
};

static void matches_what_the_language_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		if (matches(cases[i].pattern, cases[i].path) != cases[i].matches) {
			fail_msg("%s on %s: not %d", cases[i].pattern, cases[i].path,
				cases[i].matches);
		}
	}
}

/* ---- the naive matcher ---- */

static bool naive_component(const char *p, const char *p_end, const char *t, const char *t_end)
{
	if (p == p_end) {
		return t == t_end;
	}
	if (*p == '*') {
		return naive_component(p + 1, p_end, t, t_end) ||
		       (t < t_end && naive_component(p, p_end, t + 1, t_end));
	}
	if (t == t_end) {
		return false;
	}
	if (*p == '[') { /* the generator makes only [ab] */
		return (*t == 'a' || *t == 'b') && naive_component(p + 4, p_end, t + 1, t_end);
	}
	return (*p == '?' || *p == *t) && naive_component(p + 1, p_end, t + 1, t_end);
}

/* Both empty or with a slash in front. */
static bool naive(const char *p, const char *t)
{
	const char *p_end, *t_end;

	if (*p == '\0') {
		return *t == '\0';
	}
	p_end = strchrnul(p + 1, '/');
	if (p_end - p == 3 && !strncmp(p, "/**", 3)) {
		return naive(p_end, t) || (*t != '\0' && naive(p, strchrnul(t + 1, '/')));
	}
	if (*t == '\0') {
		return false;
	}
	t_end = strchrnul(t + 1, '/');
	return naive_component(p + 1, p_end, t + 1, t_end) && naive(p_end, t_end);
}

static void append_piece(char *text, const char *const *pieces, size_t count)
{
	strcat(text, pieces[(size_t)rand() % count]);
}

static void make_text(char *text, const char *const *pieces, size_t count)
{
	size_t components = 1 + (size_t)rand() % 4;

	*text = '\0';
	for (size_t i = 0; i < components; i++) {
		size_t length = 1 + (size_t)rand() % 4;

		strcat(text, "/");
		if (count > 3 && rand() % 4 == 0) {
			strcat(text, "**");
			continue;
		}
		for (size_t k = 0; k < length; k++) {
			/* no two stars together: that would be `**` */
			bool after_star = text[strlen(text) - 1] == '*';

			append_piece(text, pieces, after_star ? 3 : count);
		}
	}
}

static void agrees_with_the_naive_matcher(void **state)
{
	static const char *const pieces[] = {"a", "b", "c", "?", "[ab]", "*"};
	char pattern[128], path[128];
	unsigned int matched = 0;

	(void)state;
	srand(1);
	for (unsigned int i = 0; i < 200000; i++) {
		bool expected;

		make_text(pattern, pieces, array_length(pieces));
		make_text(path, pieces, 3);
		expected = naive(pattern, path);
		matched += expected;
		if (matches(pattern, path) != expected) {
			fail_msg("%s on %s: the naive matcher says %d", pattern, path, expected);
		}
	}
	assert_in_range(matched, 10000, 190000);
}

/* What covers says must be so for every path. */
static void covers_only_what_is_covered(void **state)
{
	static const char *const pieces[] = {"a", "b", "c", "?", "[ab]", "*"};
	char texts[2][128], path[128];
	unsigned int covered = 0;

	(void)state;
	srand(2);
	for (unsigned int i = 0; i < 20000; i++) {
		struct pattern *wide = NULL, *narrow = NULL;
		struct mistake mistake;

		make_text(texts[0], pieces, array_length(pieces));
		make_text(texts[1], pieces, array_length(pieces));
		pattern_path_new(&wide, texts[0], NULL, strlen(texts[0]), &mistake);
		pattern_path_new(&narrow, texts[1], NULL, strlen(texts[1]), &mistake);
		for (unsigned int k = 0; pattern_covers(wide, narrow) && k < 20; k++) {
			make_text(path, pieces, 3);
			covered++;
			if (naive(texts[1], path) && !naive(texts[0], path)) {
				fail_msg("%s does not cover %s: %s", texts[0], texts[1], path);
			}
		}
		pattern_free(wide);
		pattern_free(narrow);
	}
	assert_in_range(covered, 1000, 400000);
}

static void takes_no_long_time(void **state)
{
	char pattern[512] = "/", path[4096] = "/";
	struct timespec begin, end;

	(void)state;
	for (unsigned int i = 0; i < 90; i++) {
		strcat(pattern, "*a");
	}
	memset(path + 1, 'a', 4000);
	path[4001] = 'b';
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	assert_false(matches(pattern, path));
	for (unsigned int i = 0; i < 4000; i += 2) {
		path[i] = '/';
	}
	strcpy(pattern, "");
	for (unsigned int i = 0; i < 30; i++) {
		strcat(pattern, "/**/*a");
	}
	assert_false(matches(pattern, path));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	assert_true(end.tv_sec - begin.tv_sec <= 1);
}

static void takes_values_as_they_are(void **state)
{
	static const bool literal[7] = {[1] = true, true, true, true};
	struct pattern *pattern = NULL;
	struct mistake mistake;

	(void)state;
	assert_int_equal(pattern_path_new(&pattern, "/*?[x/*", literal, 7, &mistake), 0);
	assert_true(pattern_matches(pattern, "/*?[x/y", 7));
	assert_false(pattern_matches(pattern, "/aa[x/y", 7));
	pattern_free(pattern);
}

static void matches_abstract_names(void **state)
{
	struct pattern *pattern = NULL;
	struct mistake mistake;

	(void)state;
	assert_int_equal(pattern_abstract_new(&pattern, "a*?/z", NULL, 5, &mistake), 0);
	assert_true(pattern_matches(pattern, "a/b?/z", 6));
	assert_true(pattern_matches(pattern, "a\0b?/z", 6));
	assert_false(pattern_matches(pattern, "a/bx/z", 6));
	pattern_free(pattern);
}

static const struct {
	const char *pattern;
	size_t offset;
} mistakes[] = {
	{"a/b", 0},
	{"", 0},
	{"/a/", 3},
	{"/a//b", 3},
	{"/a/./b", 3},
	{"/a/../b", 3},
	{"/a**", 2},
	{"/a/***", 3},
	{"/a/[b", 3},
	{"/a/[]", 3},
	{"/a/[z-a]", 3},
};

static void refuses_what_never_matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(mistakes); i++) {
		struct pattern *pattern = NULL;
		struct mistake mistake;

		assert_int_equal(pattern_path_new(&pattern, mistakes[i].pattern, NULL,
					 strlen(mistakes[i].pattern), &mistake),
			-EINVAL);
		assert_int_equal(mistake.offset, mistakes[i].offset);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_what_the_language_says),
		cmocka_unit_test(agrees_with_the_naive_matcher),
		cmocka_unit_test(covers_only_what_is_covered),
		cmocka_unit_test(takes_no_long_time),
		cmocka_unit_test(takes_values_as_they_are),
		cmocka_unit_test(matches_abstract_names),
		cmocka_unit_test(refuses_what_never_matches),
	};

	return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
