/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pattern is made of, for the one file that makes it (pattern_read.c) and the one that
 * matches (pattern.c): a literal beginning, up to the last slash before the first special
 * character, and the components behind it; an abstract name is one component.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum element_kind {
	ELEMENT_CHARACTER, /* itself */
	ELEMENT_SET,       /* one of the ranges */
	ELEMENT_NOT_SET,   /* one outside of them */
	ELEMENT_ANY,       /* `?` */
	ELEMENT_STAR,      /* `*` */
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
	bool has_masked; /* what looks special and is not, behind the literal beginning */
	char *text;
	size_t length;
};

/* The character at `text`, and how many bytes it has. */
uint32_t pattern_read_character(const char *text, size_t length, bool bytes, size_t *sizep);
