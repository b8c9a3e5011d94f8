/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts of many policies, kept so that they can be made again without looking at their files: a
 * file that somebody is editing, or has broken, is not seen until it is read anew and found right.
 * Made once and never changed, so any thread may read it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct policy;
struct policy_report;
struct policy_texts;

enum policy_texts_flags {
	/* Leave out what has mistakes, which are told all the same. */
	POLICY_TEXTS_FORGIVING = 1u << 0,
	/* As POLICY_LOAD_TRUSTED. */
	POLICY_TEXTS_TRUSTED = 1u << 1,
};

/*
 * Reads all policies NAME.ini in the directories, a NULL-terminated list, and what they include. 0,
 * or a negative errno with nothing made: -EINVAL if there are mistakes, all in the report. What
 * depends on variables that only a client can set is taken for right, and an include whose name
 * has a variable is not kept: it is read when a session begins.
 */
int policy_texts_load(struct policy_texts **textsp, const char *const *directories,
	unsigned int flags, struct policy_report *report);
void policy_texts_free(struct policy_texts *texts); /* NULL is nothing */

/* How many policies can be had by name. */
size_t policy_texts_count(const struct policy_texts *texts);

/* The file of this policy, or NULL if it is not among them. */
const char *policy_texts_find(const struct policy_texts *texts, const char *name);

/* A file's number, from 1, and its text; 0 if it is not among them. */
size_t policy_texts_get(
	const struct policy_texts *texts, const char *path, const char **textp, size_t *sizep);
