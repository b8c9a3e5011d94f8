/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of hosts: their canonical form (lower case, no dot at the end), and what a rule means by
 * one. `www.example.org` is that name alone; `*.example.org` is every name below it, at any depth,
 * and not example.org itself. A star stands for nothing else: what lies between two fixed labels is
 * nobody's zone.
 *
 * Names are ASCII: letters, digits, '-' and '_'. What people write otherwise has such a form, too
 * (xn--...), and only that is ever asked for. A last label that is a number makes no name, but a
 * mistyped address.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/policy/mistake.h"
#include "daemon/policy/rule.h"

/*
 * Reads a rule's host; `literal` as in pattern.h, and NULL is none. 0, -ENOMEM, or -EINVAL with
 * `mistake` filled (its offset into `text`).
 */
int host_subject_parse(struct endpoint_subject *subject, const char *text, const bool *literal,
	size_t length, struct mistake *mistake);

/* The subject has a host; `name` is canonical. */
bool host_subject_matches(const struct endpoint_subject *subject, const char *name);
/* As pattern_covers, of the two subjects' hosts. */
bool host_subject_covers(
	const struct endpoint_subject *wide, const struct endpoint_subject *narrow);
