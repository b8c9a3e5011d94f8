/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns of paths and of abstract socket names.
 *
 * A path pattern is absolute and is matched against a resolved path. `*` stands for any characters
 * of one component, `?` for one, `[abc]`, `[a-z]` and `[!abc]` for one of a set (or not of it),
 * `**` as a whole component for any number of components, none as well: /dir/ ** (written together)
 * matches /dir and all below it. A character is a well-formed UTF-8 sequence, else a byte. In an
 * abstract name only `*` is special, and it stands for any bytes.
 *
 * Matching takes at most (length of the pattern) x (length of the path) steps, whoever wrote them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/policy/mistake.h"

struct pattern;

/*
 * `text` has `length` bytes and a NUL; where `literal` is not NULL, bytes that it marks are not
 * special. 0 and a pattern, -ENOMEM, or -EINVAL with `mistake` filled.
 */
int pattern_path_new(struct pattern **patternp, const char *text, const bool *literal,
	size_t length, struct mistake *mistake);
int pattern_abstract_new(struct pattern **patternp, const char *text, const bool *literal,
	size_t length, struct mistake *mistake);
void pattern_free(struct pattern *pattern);

bool pattern_matches(const struct pattern *pattern, const char *text, size_t length);

/* True if no text of its kind is outside the pattern. */
bool pattern_is_everything(const struct pattern *pattern);

/*
 * True if all that `narrow` matches is matched by `wide`; false if not, or if it is hard to tell.
 * Both are of one kind.
 */
bool pattern_covers(const struct pattern *wide, const struct pattern *narrow);

/* True if their beginnings already tell that nothing is matched by both. */
bool pattern_is_apart(const struct pattern *a, const struct pattern *b);

/* What of the names strictly below a directory a pattern matches. */
enum pattern_reach { PATTERN_NOTHING, PATTERN_SOMETHING, PATTERN_EVERYTHING };

/*
 * `directory` is absolute and resolved, of `length` bytes. SOMETHING also where it is hard to tell.
 * Of a pattern of paths only.
 */
enum pattern_reach pattern_reach_below(
	const struct pattern *pattern, const char *directory, size_t length);

/* Whether there is a special character in it, and the text without any special one if not. */
const char *pattern_literal(const struct pattern *pattern);

/* True for /dir and `**` behind it: the directory and all below it, nothing else. */
bool pattern_is_tree(const struct pattern *pattern);

/* Is there a `**` that is not the last of it? */
bool pattern_has_inner_tree(const struct pattern *pattern);

/* The literal beginning below which all lies that it matches, to a component's end; not ended by a
 * NUL. Empty for what may match anywhere, and for abstract names. */
const char *pattern_prefix(const struct pattern *pattern, size_t *lengthp);
