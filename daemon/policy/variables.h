/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables: ${NAME} in a subject stands for a value that matches itself only. So an expansion is a
 * text that knows of each byte whether it came from a value (literal) and at which column of the
 * file it stands.
 *
 * TMPDIR without a value is /tmp, XDG_RUNTIME_DIR is /run/user/UID, as programs that use them take
 * it. Empty values are mistakes where they are used: `${HOME}/.ssh` must never come to mean /.ssh.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/policy/mistake.h"
#include "daemon/policy/policy.h"

struct variable {
	char *name, *value;
};

/* The built-in one at `index`; NULL past the last. */
const char *variables_builtin(size_t index);

/* The built-in ones that are known, and then the sets, each name once. */
struct variables {
	struct variable *items;
	size_t count;
	bool any_sets; /* one that is unknown is no mistake: -ENOKEY */
};

/*
 * 0, -ENOMEM, or -EINVAL with `mistake` filled: a set that is not NAME=VALUE or has the name of a
 * built-in variable, which is not the client's to say.
 */
int variables_init(struct variables *variables, const struct policy_variables *values,
	struct mistake *mistake);
/* All of the others. 0 or -ENOMEM. */
int variables_copy(struct variables *variables, const struct variables *from);
int variables_add(struct variables *variables, const char *name, const char *value);
void variables_finish(struct variables *variables);

/* Kept and used again, so that one reading of a file allocates little. */
struct expansion {
	char *text; /* NUL-terminated */
	size_t length, capacity;
	bool *literal;   /* of each byte */
	size_t *origins; /* of each byte, and of the end: its offset in what was expanded */
};

/* 0, -ENOMEM, -ENOKEY, or -EINVAL with `mistake` filled. Ends with expansion_finish. */
int variables_expand(const struct variables *variables, const char *text, size_t length,
	struct expansion *expansion, struct mistake *mistake);
void expansion_finish(struct expansion *expansion);
