/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern from its text, read once from left to right: components without special characters
 * become the literal beginning until the first that has one. What no resolved path can match is
 * refused, with its offset.
 */
#include "daemon/policy/pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/policy/pattern_parts.h"

/* What a pattern is made from, and how far that has come. */
struct maker {
	struct pattern *pattern;
	const char *text;
	const bool *literal;
	size_t length;
	struct mistake *mistake;
};

static bool is_special(const struct maker *maker, size_t i, char c)
{
	return maker->text[i] == c && !(maker->literal && maker->literal[i]);
}

static void add_range(struct maker *maker, struct element *element, uint32_t first, uint32_t last)
{
	maker->pattern->ranges[maker->pattern->range_count++] = (struct range){first, last};
	element->range_count++;
}

/* Reads the set at text[i], which is '['; returns its end behind the ']'. */
static int read_set(
	struct maker *maker, struct element *element, size_t i, size_t end, size_t *nextp)
{
	size_t begin = i, first_item, size;

	i++;
	element->kind = ELEMENT_SET;
	element->ranges = (uint32_t)maker->pattern->range_count;
	if (i < end && (is_special(maker, i, '!') || is_special(maker, i, '^'))) {
		element->kind = ELEMENT_NOT_SET;
		i++;
	}
	first_item = i;
	while (i < end && (i == first_item || !is_special(maker, i, ']'))) {
		uint32_t first = pattern_read_character(maker->text + i, end - i, false, &size),
			 last;

		i += size;
		last = first;
		if (i + 1 < end && is_special(maker, i, '-') && !is_special(maker, i + 1, ']')) {
			last = pattern_read_character(
				maker->text + i + 1, end - i - 1, false, &size);
			i += 1 + size;
		}
		if (last < first) {
			return mistake_set(
				maker->mistake, begin, "a range of a set is upside down");
		}
		add_range(maker, element, first, last);
	}
	if (i >= end) {
		return mistake_set(maker->mistake, begin,
			"the set is not closed with ']'; '[[]' stands for '[' itself");
	}
	*nextp = i + 1;
	return 0;
}

/* One component from text[i, end). */
static int read_component(struct maker *maker, size_t i, size_t end)
{
	struct pattern *pattern = maker->pattern;
	struct component *component = &pattern->components[pattern->component_count++];
	size_t size;
	int r;

	*component = (struct component){.elements = pattern->element_count};
	while (i < end) {
		struct element *element = &pattern->elements[pattern->element_count];

		memset(element, 0, sizeof(*element));
		if (is_special(maker, i, '*')) {
			element->kind = ELEMENT_STAR;
			i++;
		} else if (is_special(maker, i, '?') && !pattern->abstract) {
			element->kind = ELEMENT_ANY;
			i++;
		} else if (is_special(maker, i, '[') && !pattern->abstract) {
			r = read_set(maker, element, i, end, &i);
			if (r < 0) {
				return r;
			}
		} else {
			element->character = pattern_read_character(
				maker->text + i, end - i, pattern->abstract, &size);
			i += size;
		}
		pattern->element_count++;
		component->element_count++;
	}
	return 0;
}

static bool has_special(const struct maker *maker, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++) {
		if (is_special(maker, i, '*') ||
			(!maker->pattern->abstract &&
				(is_special(maker, i, '?') || is_special(maker, i, '[')))) {
			return true;
		}
	}
	return false;
}

/* A component that no resolved path has, or `**` together with something else. */
static int check_component(struct maker *maker, size_t begin, size_t end)
{
	size_t length = end - begin;
	const char *name = maker->text + begin;

	if (length == 0) {
		return mistake_set(maker->mistake, begin,
			end == maker->length ? "a path has no slash at its end; a directory and "
					       "all below it is DIR/**"
					     : "a resolved path has no empty component ('//')");
	}
	if ((length == 1 && name[0] == '.') || (length == 2 && name[0] == '.' && name[1] == '.')) {
		return mistake_set(maker->mistake, begin,
			"a resolved path has no '%.*s' in it: this never matches", (int)length,
			name);
	}
	for (size_t i = begin; i + 1 < end; i++) {
		if (is_special(maker, i, '*') && is_special(maker, i + 1, '*') && length != 2) {
			return mistake_set(
				maker->mistake, i, "'**' stands for whole components: .../**/...");
		}
	}
	return 0;
}

static size_t component_end(const struct maker *maker, size_t begin)
{
	const char *slash = memchr(maker->text + begin, '/', maker->length - begin);

	return slash ? (size_t)(slash - maker->text) : maker->length;
}

static bool is_tree(const struct maker *maker, size_t begin, size_t end)
{
	return end - begin == 2 && is_special(maker, begin, '*') &&
	       is_special(maker, begin + 1, '*');
}

/* The components of text[begin ...), which is empty or begins with a slash. */
static int read_components(struct maker *maker, size_t begin)
{
	struct pattern *pattern = maker->pattern;
	int r = 0;

	while (r == 0 && begin < maker->length) {
		size_t end = component_end(maker, ++begin);

		r = check_component(maker, begin, end);
		if (r == 0 && !pattern->has_special && !has_special(maker, begin, end)) {
			pattern->prefix_length = end;
		} else if (r == 0) {
			pattern->has_special = true;
			if (is_tree(maker, begin, end)) {
				pattern->components[pattern->component_count++] =
					(struct component){.tree = true};
			} else {
				r = read_component(maker, begin, end);
			}
		}
		begin = end;
	}
	return r;
}

static bool has_masked(const struct maker *maker)
{
	for (size_t i = maker->pattern->prefix_length; maker->literal && i < maker->length; i++) {
		if (maker->literal[i] && strchr("*?[]!^-", maker->text[i])) {
			return true;
		}
	}
	return false;
}

/* Where the first component with something special in it begins: all before is the prefix. */
static size_t find_special(const struct maker *maker, bool abstract)
{
	size_t i = strcspn(maker->text, abstract ? "*" : "*?[");

	if (abstract || i >= maker->length) {
		return abstract ? 0 : maker->length;
	}
	while (i > 0 && maker->text[i] != '/') {
		i--;
	}
	return i;
}

/* An empty pattern with room for all that the text can become, in one block of memory. */
static struct pattern *pattern_alloc(const struct maker *maker, bool abstract)
{
	size_t rest = maker->length - find_special(maker, abstract) + 1;
	size_t set_rest = memchr(maker->text, '[', maker->length) ? rest : 0;
	size_t components = sizeof(struct pattern);
	size_t elements = components + rest * sizeof(struct component);
	size_t ranges = elements + rest * sizeof(struct element);
	size_t text = ranges + set_rest * sizeof(struct range);
	char *block = malloc(text + maker->length + 1);
	struct pattern *pattern = (struct pattern *)(void *)block;

	if (!pattern) {
		return NULL;
	}
	memset(pattern, 0, sizeof(*pattern));
	pattern->abstract = abstract;
	pattern->components = (struct component *)(void *)(block + components);
	pattern->elements = (struct element *)(void *)(block + elements);
	pattern->ranges = (struct range *)(void *)(block + ranges);
	pattern->text = block + text;
	memcpy(pattern->text, maker->text, maker->length);
	pattern->text[maker->length] = '\0';
	pattern->length = maker->length;
	return pattern;
}

static int pattern_new(struct pattern **patternp, struct maker *maker, bool abstract)
{
	struct pattern *pattern = pattern_alloc(maker, abstract);
	int r = 0;

	if (!pattern) {
		return -ENOMEM;
	}
	maker->pattern = pattern;
	if (abstract) {
		pattern->has_special = has_special(maker, 0, maker->length);
		r = read_component(maker, 0, maker->length);
	} else if (maker->length > 1) {
		r = read_components(maker, 0);
	}
	if (r < 0) {
		pattern_free(pattern);
		return r;
	}
	if (!abstract && maker->length == 1) {
		pattern->prefix_length = 1;
	}
	pattern->has_masked = has_masked(maker);
	*patternp = pattern;
	return 0;
}

int pattern_path_new(struct pattern **patternp, const char *text, const bool *literal,
	size_t length, struct mistake *mistake)
{
	struct maker maker = {NULL, text, literal, length, mistake};

	if (length == 0 || text[0] != '/') {
		return mistake_set(mistake, 0, "'%.*s' is not an absolute path",
			(int)(length < 100 ? length : 100), text);
	}
	return pattern_new(patternp, &maker, false);
}

int pattern_abstract_new(struct pattern **patternp, const char *text, const bool *literal,
	size_t length, struct mistake *mistake)
{
	struct maker maker = {NULL, text, literal, length, mistake};

	return pattern_new(patternp, &maker, true);
}

void pattern_free(struct pattern *pattern)
{
	free(pattern);
}
