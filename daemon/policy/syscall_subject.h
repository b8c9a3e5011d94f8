/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One subject of [syscalls]: `ptrace`, `@mount`, `ioctl(arg1 == TIOCSTI, ...)`. The parser of the
 * file cuts values into subjects (parentheses stay together) and gives each here as it was written.
 */
#pragma once

#include <stddef.h>

#include "daemon/policy/rule.h"

struct syscall_parse_error {
	size_t offset;  /* into the text, for the column */
	char text[160]; /* what is wrong, with a hint where a valid word is near */
};

/*
 * Fills `subject` from `text`, one whole subject. 0; -EINVAL with `error` filled and nothing to
 * finish; -ENOMEM.
 */
int syscall_subject_parse(
	const char *text, struct syscall_subject *subject, struct syscall_parse_error *error);

/* Frees what the subject holds, `name` too. */
void syscall_subject_finish(struct syscall_subject *subject);
