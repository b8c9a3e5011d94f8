/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of the policy: policies from strings, with known variables.
 */
#pragma once

#include "daemon/policy/policy.h"

/* What the variables are in these tests; X is a set. */
#define TEXT_HOME "/home/user"
#define TEXT_CWD  "/tree"
#define TEXT_X    "a*b"

/* Makes a new directory for the files, in TMPDIR, and enters it. Once for each test program. */
void policy_text_enter(void);

/* Writes NAME in it. */
void policy_text_write(const char *name, const char *text);

/* Loads `file` of it with `flags`. As policy_load. */
int policy_text_load_file(struct policy **policyp, const char *file, unsigned int flags,
	struct policy_report *report);

/* Loads a policy of this text, which must be right. */
struct policy *policy_text(const char *text);

/* Fails unless the text, as t.ini, brings just the one line `expected`, as it is printed. */
void policy_text_expect(const char *text, unsigned int flags, const char *expected);

/* Appends a path of up to three of the words, "/" if there are none. */
void policy_text_append_random(char *text, const char *const *words, size_t count);
