/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns against a slow reference, which is written from the words of usher-policy(5) alone and
 * tries everything. The input is three lines: a pattern, a second pattern, a path. What is said
 * of patterns (one covers another, what a directory holds) must agree with what they match.
 */
#include <stdbool.h>

#include "daemon/policy/pattern.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX 40u /* the reference takes its time */

/* A piece of text that is looked at from its front. */
struct span {
	const char *text;
	size_t size;
};

static struct span after(struct span span, size_t count)
{
	return (struct span){span.text + count, span.size - count};
}

/* A well-formed UTF-8 sequence, else a byte, which is no character of any sequence. */
static size_t take(struct span span, uint32_t *character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *)span.text;
	size_t count = bytes[0] < 0x80                       ? 1
		       : bytes[0] >= 0xc0 && bytes[0] < 0xe0 ? 2
		       : bytes[0] >= 0xe0 && bytes[0] < 0xf0 ? 3
		       : bytes[0] >= 0xf0 && bytes[0] < 0xf8 ? 4
							     : 0;
	uint32_t value = count == 1 ? bytes[0] : count ? bytes[0] & (0x7fu >> count) : 0;
	bool whole = count > 0 && count <= span.size;

	for (size_t i = 1; whole && i < count; i++) {
		whole = (bytes[i] & 0xc0) == 0x80;
		value = value << 6 | (bytes[i] & 0x3fu);
	}
	whole = whole && value >= least[count] && value <= 0x10ffff &&
		!(value >= 0xd800 && value <= 0xdfff);
	*character = whole ? value : 0x80000000u + bytes[0];
	return whole ? count : 1;
}

/* `[...]` at the front of the pattern, which is known to be ended. Returns what it is long. */
static size_t in_set(struct span set, uint32_t wanted, bool *is_in)
{
	size_t i = 1;
	bool negated = set.text[1] == '!' || set.text[1] == '^';
	bool found = false;

	i += negated;
	for (bool first = true; first || set.text[i] != ']'; first = false) {
		uint32_t low, high;
		i += take(after(set, i), &low);
		high = low;
		if (set.text[i] == '-' && set.text[i + 1] != ']') {
			i += 1 + take(after(set, i + 1), &high);
		}
		found = found || (wanted >= low && wanted <= high);
	}
	*is_in = found != negated;
	return i + 1;
}

/* Within one component. */
static bool matches_name(struct span pattern, struct span name)
{
	uint32_t wanted, is;

	if (pattern.size == 0) {
		return name.size == 0;
	}
	if (pattern.text[0] == '*') {
		return matches_name(after(pattern, 1), name) ||
		       (name.size > 0 && matches_name(pattern, after(name, take(name, &is))));
	}
	if (name.size == 0) {
		return false;
	}
	size_t name_step = take(name, &is);
	size_t pattern_step = take(pattern, &wanted);
	bool same = wanted == is;
	if (pattern.text[0] == '?') {
		same = true;
	} else if (pattern.text[0] == '[') {
		pattern_step = in_set(pattern, is, &same);
	}
	return same && matches_name(after(pattern, pattern_step), after(name, name_step));
}

static struct span component(struct span path)
{
	const char *slash = path.size > 0 ? memchr(path.text, '/', path.size) : NULL;

	return (struct span){path.text, slash ? (size_t)(slash - path.text) : path.size};
}

static struct span behind(struct span path, struct span first)
{
	return after(path, first.size + (first.size < path.size));
}

/* Both without their first slash; an empty one has no components. */
static bool matches_path(struct span pattern, struct span path)
{
	if (pattern.size == 0) {
		return path.size == 0;
	}
	struct span wanted = component(pattern);
	if (wanted.size == 2 && memcmp(wanted.text, "**", 2) == 0) {
		return matches_path(behind(pattern, wanted), path) ||
		       (path.size > 0 && matches_path(pattern, behind(path, component(path))));
	}
	if (path.size == 0) {
		return false;
	}
	struct span is = component(path);
	return matches_name(wanted, is) && matches_path(behind(pattern, wanted), behind(path, is));
}

/* As resolved paths are: absolute, no empty component, no `.` or `..`. */
static bool is_resolved(const char *path)
{
	size_t length = strlen(path);

	if (path[0] != '/' || length > TEXT_MAX) {
		return false;
	}
	return strcmp(path, "/") == 0 ||
	       (path[length - 1] != '/' && !strstr(path, "//") && !strstr(path, "/./") &&
		       !strstr(path, "/../") && strcmp(path + length - 2, "/.") != 0 &&
		       (length < 3 || strcmp(path + length - 3, "/..") != 0));
}

static bool expected(const char *pattern, const char *path)
{
	return matches_path((struct span){pattern + 1, strlen(pattern) - 1},
		(struct span){path + 1, strlen(path) - 1});
}

static struct pattern *made(const char *text)
{
	struct pattern *pattern = NULL;
	struct mistake mistake = {0};
	int error = strlen(text) > TEXT_MAX
			    ? -1
			    : pattern_path_new(&pattern, text, NULL, strlen(text), &mistake);

	must((error == 0) == (pattern != NULL));
	return pattern;
}

/* What is said of each directory on the way to a path that matches, or does not. */
static void check_reach(const struct pattern *pattern, const char *path, bool matches)
{
	for (size_t i = 0; path[i + 1]; i++) {
		if (path[i] == '/') {
			enum pattern_reach reach =
				pattern_reach_below(pattern, path, i == 0 ? 1 : i);
			must(!matches || reach != PATTERN_NOTHING);
			must(matches || reach != PATTERN_EVERYTHING);
		}
	}
}

static void check(const struct pattern *pattern, const char *text, const char *path)
{
	bool matches = pattern_matches(pattern, path, strlen(path));
	size_t length;
	const char *prefix = pattern_prefix(pattern, &length);

	must(matches == expected(text, path));
	must(matches || !pattern_is_everything(pattern));
	must(!matches || strncmp(prefix, path, length) == 0);
	must(!pattern_literal(pattern) || matches == (strcmp(pattern_literal(pattern), path) == 0));
	check_reach(pattern, path, matches);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	char *texts[3] = {input_line(&input), input_line(&input), input_line(&input)};
	struct pattern *first = made(texts[0]);
	struct pattern *second = made(texts[1]);

	if (is_resolved(texts[2])) {
		if (first) {
			check(first, texts[0], texts[2]);
		}
		if (second) {
			check(second, texts[1], texts[2]);
		}
		if (first && second && pattern_covers(first, second)) {
			must(!expected(texts[1], texts[2]) || expected(texts[0], texts[2]));
		}
	}
	pattern_free(first);
	pattern_free(second);
	for (size_t i = 0; i < 3; i++) {
		free(texts[i]);
	}
	return 0;
}
