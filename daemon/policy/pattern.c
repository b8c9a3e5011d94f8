/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The beginning refuses nearly every path at the cost of a memcmp. The components behind it are
 * matched greedily: only the last `*` (within a component) and the last `**` (among them) ever need
 * to be taken back, since whatever an earlier one could take instead the last one can take as well.
 */
#include "daemon/policy/pattern.h"

#include <string.h>

#include "daemon/policy/pattern_parts.h"

/* A byte that does not begin a well-formed sequence stands for itself, beyond all characters. */
#define CHARACTER_BYTE 0x80000000u

/* RFC 3629, 3: the shortest form, no surrogates, and an end. */
static bool is_character(uint32_t value, size_t size)
{
	static const uint32_t least[] = {[2] = 0x80, [3] = 0x800, [4] = 0x10000};

	return value >= least[size] && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
}

uint32_t pattern_read_character(const char *text, size_t length, bool bytes, size_t *sizep)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t size = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	uint32_t value;

	*sizep = 1;
	if (s[0] < 0x80) {
		return s[0];
	}
	if (bytes || s[0] < 0xc0 || s[0] >= 0xf8 || size > length) {
		return CHARACTER_BYTE | s[0];
	}
	value = s[0] & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			return CHARACTER_BYTE | s[0];
		}
		value = value << 6 | (s[i] & 0x3fu);
	}
	if (!is_character(value, size)) {
		return CHARACTER_BYTE | s[0];
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
		uint32_t c = pattern_read_character(text + i, length - i, pattern->abstract, &size);

		if (element < end && element->kind == ELEMENT_STAR) {
			after_star = ++element;
			taken = i;
		} else if (element < end && element_takes(pattern, element, c)) {
			element++;
			i += size;
		} else if (after_star) {
			pattern_read_character(
				text + taken, length - taken, pattern->abstract, &size);
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

/* ---- what lies below a directory ---- */

/* Which components may come next, as bits: several, since `**` can end anywhere. */
#define POSITIONS_MAX 63

/* A tree may have ended before the next component. */
static uint64_t positions_closed(const struct pattern *pattern, uint64_t positions)
{
	for (size_t i = 0; i < pattern->component_count; i++) {
		if (pattern->components[i].tree && (positions & UINT64_C(1) << i) != 0) {
			positions |= UINT64_C(1) << (i + 1);
		}
	}
	return positions;
}

static uint64_t positions_after(
	const struct pattern *pattern, uint64_t positions, const char *name, size_t length)
{
	uint64_t after = 0;

	for (size_t i = 0; i < pattern->component_count; i++) {
		const struct component *component = &pattern->components[i];

		if ((positions & UINT64_C(1) << i) == 0) {
			continue;
		}
		if (component->tree) {
			after |= UINT64_C(1) << i;
		} else if (component_matches(pattern, component, name, length)) {
			after |= UINT64_C(1) << (i + 1);
		}
	}
	return positions_closed(pattern, after);
}

/* The components of text[0, end) are behind the pattern's prefix. */
static enum pattern_reach components_reach(
	const struct pattern *pattern, const char *text, const char *end)
{
	size_t count = pattern->component_count, length;
	uint64_t last = UINT64_C(1) << count, positions = positions_closed(pattern, 1);
	const char *name;

	while (text < end) {
		text = next_component(text, end, &name, &length);
		positions = positions_after(pattern, positions, name, length);
	}
	if ((positions & ~last) == 0) {
		return PATTERN_NOTHING;
	}
	return pattern->components[count - 1].tree && (positions & last) != 0 ? PATTERN_EVERYTHING
									      : PATTERN_SOMETHING;
}

enum pattern_reach pattern_reach_below(
	const struct pattern *pattern, const char *directory, size_t length)
{
	size_t prefix = pattern->prefix_length;

	if (pattern->component_count > POSITIONS_MAX) {
		return PATTERN_SOMETHING;
	}
	if (pattern->length == 1) {
		return PATTERN_NOTHING; /* the root lies below nothing */
	}
	length = length == 1 ? 0 : length;
	if (prefix > length) {
		return !memcmp(pattern->text, directory, length) && pattern->text[length] == '/'
			       ? PATTERN_SOMETHING
			       : PATTERN_NOTHING;
	}
	if (memcmp(pattern->text, directory, prefix) != 0 ||
		(length > prefix && directory[prefix] != '/')) {
		return PATTERN_NOTHING;
	}
	return components_reach(pattern, directory + prefix, directory + length);
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

bool pattern_is_tree(const struct pattern *pattern)
{
	return !pattern->abstract && pattern->component_count == 1 && pattern->components[0].tree;
}

bool pattern_has_inner_tree(const struct pattern *pattern)
{
	for (size_t i = 0; i + 1 < pattern->component_count; i++) {
		if (pattern->components[i].tree) {
			return true;
		}
	}
	return false;
}

/* Asked of each pair of a policy's patterns. Their last bytes differ more often than the first
 * ones.
 */
static inline bool differ(const struct pattern *a, const struct pattern *b, size_t length)
{
	return length > 0 && (a->text[length - 1] != b->text[length - 1] ||
				     memcmp(a->text, b->text, length) != 0);
}

bool pattern_is_apart(const struct pattern *a, const struct pattern *b)
{
	return differ(
		a, b, a->prefix_length < b->prefix_length ? a->prefix_length : b->prefix_length);
}

bool pattern_covers(const struct pattern *wide, const struct pattern *narrow)
{
	if (narrow->prefix_length < wide->prefix_length ||
		differ(wide, narrow, wide->prefix_length)) {
		return false;
	}
	if (pattern_is_everything(wide)) {
		return true;
	}
	if (!narrow->has_special) {
		return pattern_matches(wide, narrow->text, narrow->length);
	}
	if (wide->length == narrow->length && !memcmp(wide->text, narrow->text, wide->length) &&
		wide->has_special == narrow->has_special) {
		return true;
	}
	return pattern_is_tree(wide) && narrow->prefix_length >= wide->prefix_length &&
	       !memcmp(wide->text, narrow->text, wide->prefix_length) &&
	       (narrow->prefix_length == wide->prefix_length ||
		       narrow->text[wide->prefix_length] == '/');
}
