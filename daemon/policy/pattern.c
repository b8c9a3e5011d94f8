/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern is a literal beginning, up to the last slash before the first special character, and
 * the components behind it; an abstract name is one component. The beginning refuses nearly every
 * path at the cost of a memcmp. The components are matched greedily: only the last `*` (within a
 * component) and the last `**` (among them) ever need to be taken back, since whatever an earlier
 * one could take instead the last one can take as well.
 */
#include "daemon/policy/pattern.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"

enum element_kind {
	ELEMENT_CHARACTER, /* one character, or any other of the set */
	ELEMENT_SET,
	ELEMENT_NOT_SET,
	ELEMENT_ANY,  /* `?` */
	ELEMENT_STAR, /* `*` */
};

struct range {
	uint32_t first, last;
};

struct element {
	enum element_kind kind;
	uint32_t character;
	uint32_t ranges, range_count; /* in struct pattern */
};

struct component {
	bool tree; /* `**`; it has no elements */
	size_t elements, element_count;
};

struct pattern {
	bool abstract;
	size_t prefix_length; /* paths: of the literal components in front; else 0 */
	struct component *components;
	size_t component_count;
	struct element *elements;
	size_t element_count;
	struct range *ranges;
	size_t range_count;
	bool has_special;
	char *text;
	size_t length;
};

/* A byte that does not begin a well-formed sequence stands for itself, beyond all characters. */
#define CHARACTER_BYTE 0x80000000u

/* The character at `text`, and how many bytes it has. */
static uint32_t read_character(const char *text, size_t length, bool bytes, size_t *sizep)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t size = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	uint32_t value;

	*sizep = 1;
	if (s[0] < 0x80) {
		return s[0];
	}
	if (bytes || s[0] < 0xc2 || s[0] > 0xf4 || size > length) {
		return CHARACTER_BYTE | s[0];
	}
	value = s[0] & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			return CHARACTER_BYTE | s[0];
		}
		value = value << 6 | (s[i] & 0x3fu);
	}
	*sizep = size;
	return value;
}

/* ---- matching ---- */

static bool set_holds(const struct pattern *pattern, const struct element *element, uint32_t c)
{
	for (uint32_t i = 0; i < element->range_count; i++) {
		const struct range *range = &pattern->ranges[element->ranges + i];

		if (c >= range->first && c <= range->last) {
			return true;
		}
	}
	return false;
}

static bool element_takes(const struct pattern *pattern, const struct element *element, uint32_t c)
{
	switch (element->kind) {
	case ELEMENT_CHARACTER:
		return c == element->character;
	case ELEMENT_SET:
		return set_holds(pattern, element, c);
	case ELEMENT_NOT_SET:
		return !set_holds(pattern, element, c);
	default:
		return true;
	}
}

static bool component_matches(const struct pattern *pattern, const struct component *component,
	const char *text, size_t length)
{
	const struct element *element = pattern->elements + component->elements;
	const struct element *end = element + component->element_count;
	const struct element *after_star = NULL; /* where to go on when the last star takes more */
	size_t taken = 0, i = 0, size;

	while (i < length) {
		uint32_t c = read_character(text + i, length - i, pattern->abstract, &size);

		if (element < end && element->kind == ELEMENT_STAR) {
			after_star = ++element;
			taken = i;
		} else if (element < end && element_takes(pattern, element, c)) {
			element++;
			i += size;
		} else if (after_star) {
			read_character(text + taken, length - taken, pattern->abstract, &size);
			taken += size;
			element = after_star;
			i = taken;
		} else {
			return false;
		}
	}
	while (element < end && element->kind == ELEMENT_STAR) {
		element++;
	}
	return element == end;
}

/* The component at `text`, which begins with its slash; returns where the next begins. */
static const char *next_component(
	const char *text, const char *end, const char **namep, size_t *lengthp)
{
	const char *slash = memchr(text + 1, '/', (size_t)(end - text - 1));

	slash = slash ? slash : end;
	*namep = text + 1;
	*lengthp = (size_t)(slash - text - 1);
	return slash;
}

/* `text` is empty or begins with a slash. */
static bool components_match(const struct pattern *pattern, const char *text, const char *end)
{
	const struct component *component = pattern->components;
	const struct component *last = component + pattern->component_count;
	const struct component *after_tree = NULL;
	const char *taken = NULL, *name, *next;
	size_t length;

	while (text < end) {
		if (component < last && component->tree) {
			after_tree = ++component;
			taken = text;
			if (component == last) {
				return true;
			}
			continue;
		}
		next = next_component(text, end, &name, &length);
		if (component < last && component_matches(pattern, component, name, length)) {
			component++;
			text = next;
		} else if (after_tree) {
			taken = next_component(taken, end, &name, &length);
			component = after_tree;
			text = taken;
		} else {
			return false;
		}
	}
	while (component < last && component->tree) {
		component++;
	}
	return component == last;
}

bool pattern_matches(const struct pattern *pattern, const char *text, size_t length)
{
	size_t prefix = pattern->prefix_length;

	if (pattern->abstract) {
		return component_matches(pattern, pattern->components, text, length);
	}
	if (length < prefix || memcmp(text, pattern->text, prefix) != 0) {
		return false;
	}
	if (length == 1) {
		prefix = 1; /* the root has no components */
	} else if (length > prefix && text[prefix] != '/') {
		return false;
	}
	return components_match(pattern, text + prefix, text + length);
}

/* ---- making ---- */

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
		uint32_t first = read_character(maker->text + i, end - i, false, &size), last;

		i += size;
		last = first;
		if (i + 1 < end && is_special(maker, i, '-') && !is_special(maker, i + 1, ']')) {
			last = read_character(maker->text + i + 1, end - i - 1, false, &size);
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
			element->character =
				read_character(maker->text + i, end - i, pattern->abstract, &size);
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

/* ---- asking about ---- */

const char *pattern_literal(const struct pattern *pattern)
{
	return pattern->has_special ? NULL : pattern->text;
}

const char *pattern_prefix(const struct pattern *pattern, size_t *lengthp)
{
	*lengthp = pattern->prefix_length;
	return pattern->text;
}

static bool is_star(const struct pattern *pattern, const struct component *component)
{
	return component->element_count == 1 &&
	       pattern->elements[component->elements].kind == ELEMENT_STAR;
}

bool pattern_is_everything(const struct pattern *pattern)
{
	if (pattern->abstract) {
		return is_star(pattern, pattern->components);
	}
	return pattern->prefix_length == 0 && pattern->component_count == 1 &&
	       pattern->components[0].tree;
}

/* True for /dir and `**` behind it. */
static bool is_whole_tree(const struct pattern *pattern)
{
	return !pattern->abstract && pattern->component_count == 1 && pattern->components[0].tree;
}

bool pattern_covers(const struct pattern *wide, const struct pattern *narrow)
{
	if (pattern_is_everything(wide)) {
		return true;
	}
	if (pattern_literal(narrow)) {
		return pattern_matches(wide, narrow->text, narrow->length);
	}
	if (wide->length == narrow->length && !memcmp(wide->text, narrow->text, wide->length) &&
		wide->has_special == narrow->has_special) {
		return true;
	}
	return is_whole_tree(wide) && narrow->prefix_length >= wide->prefix_length &&
	       !memcmp(wide->text, narrow->text, wide->prefix_length) &&
	       (narrow->prefix_length == wide->prefix_length ||
		       narrow->text[wide->prefix_length] == '/');
}
