/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a policy_report is filled. Leaf parsers say what is wrong with a piece of text (mistake.h);
 * the file's parser adds it here with its place.
 */
#pragma once

#include <stdarg.h>

#include "daemon/policy/policy.h"

/* 0 or -ENOMEM. The strings are copied. `line` 0: of the file as a whole. */
int report_add(struct policy_report *report, enum policy_severity severity, const char *file,
	unsigned int line, unsigned int column, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
int report_add_list(struct policy_report *report, enum policy_severity severity, const char *file,
	unsigned int line, unsigned int column, const char *format, va_list arguments);

/* Puts the items into the order of their lines; for a report on one file. */
void report_sort(struct policy_report *report);

/* Moves all items of `from` behind those of `to`; `from` is empty afterwards. 0 or -ENOMEM. */
int report_move(struct policy_report *to, struct policy_report *from);
