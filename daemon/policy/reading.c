/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each subject gets its sign: it is granted, kept out, must not be there, or need not be told. What
 * the program could do to names decides: where it can create or remove nothing the names are those
 * of the session's start, and what is denied among them can be left out.
 */
#include "daemon/policy/reading.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/model.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/pattern_wire.h"
#include "usher/wire.h"

#define UNTOLD '\0'

static const char processes[] = "/proc";

/*
 * What the kernel keeps of a process from all outside of its Landlock domain, as from who may not
 * trace it (ptrace(2), "access mode checking"); and of the machine from who is not root, or has
 * lost the capabilities for it (client/process_rights.h). Of keys and symbols it shows the names,
 * which docs/security.md tells.
 */
static const char *const kept_by_kernel[] = {
	"/proc/[1-9]*/environ",
	"/proc/[1-9]*/mem",
	"/proc/[1-9]*/auxv",
	"/proc/[1-9]*/maps",
	"/proc/[1-9]*/smaps*",
	"/proc/[1-9]*/numa_maps",
	"/proc/[1-9]*/pagemap",
	"/proc/[1-9]*/stack",
	"/proc/[1-9]*/syscall",
	"/proc/[1-9]*/fd/**",
	"/proc/[1-9]*/fdinfo/**",
	"/proc/[1-9]*/map_files/**",
	"/proc/[1-9]*/root/**",
	"/proc/[1-9]*/cwd/**",
	"/proc/[1-9]*/task/*/environ",
	"/proc/[1-9]*/task/*/mem",
	"/proc/[1-9]*/task/*/auxv",
	"/proc/[1-9]*/task/*/maps",
	"/proc/[1-9]*/task/*/smaps*",
	"/proc/[1-9]*/task/*/fd/**",
	"/proc/[1-9]*/task/*/root/**",
	"/proc/[1-9]*/task/*/cwd/**",
	"/proc/[1-9]*/task/*/pagemap",
	"/proc/kcore",
	"/proc/kmem",
	"/proc/kmsg",
	"/proc/kpage*",
	"/proc/kallsyms",
	"/proc/keys",
	"/proc/vmcore",
	"/proc/sysrq-trigger",
};

static const struct pattern *pattern_of(const struct survey *survey, size_t index)
{
	return survey->policy->paths[index].subject->path.pattern;
}

static bool decides(const struct survey *survey, size_t index)
{
	return (survey->live[index] & OPERATION_READ) != 0;
}

static bool allows(const struct survey *survey, size_t index)
{
	return decides(survey, index) && survey->policy->paths[index].rule->action == POLICY_ALLOW;
}

/* The literal beginning; of what may be anywhere the root. Longer than any path: cut, and so wider.
 */
static size_t beginning(const struct pattern *pattern, char path[PATH_MAX])
{
	size_t length;
	const char *prefix = pattern_prefix(pattern, &length);

	length = length < PATH_MAX ? length : PATH_MAX - 1;
	memcpy(path, length > 0 ? prefix : "/", length > 0 ? length : 1);
	length = length > 0 ? length : 1;
	path[length] = '\0';
	return length;
}

/* May the pattern match the directory, or something below it? */
static bool reaches(const struct pattern *pattern, const char *path, size_t length)
{
	return pattern_matches(pattern, path, length) ||
	       pattern_reach_below(pattern, path, length) != PATTERN_NOTHING;
}

/* Could something match both? All of it would lie at or below both beginnings. */
static bool overlap(const struct pattern *a, const struct pattern *b)
{
	char path[PATH_MAX];

	return !pattern_is_apart(a, b) && reaches(a, path, beginning(b, path)) &&
	       reaches(b, path, beginning(a, path));
}

/* Also by something else in its place. */
static bool lets(const struct survey *survey, size_t index)
{
	enum policy_action action = survey->policy->paths[index].rule->action;

	return action == POLICY_ALLOW || action == POLICY_INJECT;
}

/* Can a program make, rename or remove something that the pattern matches? */
static bool is_changeable(const struct survey *survey, size_t index)
{
	const struct pattern *pattern = pattern_of(survey, index);
	const unsigned int changes = OPERATION_CREATE | OPERATION_REMOVE;

	if (!policy_mediates_file(survey->policy, OPERATION_CREATE) ||
		!policy_mediates_file(survey->policy, OPERATION_REMOVE)) {
		return true;
	}
	size_t i = index;

	do {
		if (lets(survey, i) && (survey->live[i] & changes) != 0 &&
			overlap(pattern_of(survey, i), pattern)) {
			return true;
		}
		i = kin_next(&survey->kin, index, i);
	} while (i != index);
	return false;
}

static bool lets_by_default(const struct policy *policy)
{
	const struct policy_section_rules *files = &policy->sections[POLICY_FILES];

	return files->rules[files->count - 1].action == POLICY_ALLOW;
}

/* May a program make something that this pattern matches? The first rule on that decides. */
static bool may_appear(const struct survey *survey, size_t index)
{
	const struct pattern *pattern = pattern_of(survey, index);
	size_t i = index, first = SIZE_MAX;

	if (!policy_mediates_file(survey->policy, OPERATION_CREATE)) {
		return true;
	}
	do {
		const struct pattern *other = pattern_of(survey, i);

		if (i < first && (survey->live[i] & OPERATION_CREATE) != 0 &&
			(lets(survey, i) ? overlap(other, pattern)
					 : pattern_covers(other, pattern))) {
			first = i;
		}
		i = kin_next(&survey->kin, index, i);
	} while (i != index);
	return first != SIZE_MAX ? lets(survey, first) : lets_by_default(survey->policy);
}

/* ---- denials ---- */

static bool is_kept_by_kernel(const struct policy_subject *subject)
{
	for (size_t i = 0; i < array_length(kept_by_kernel); i++) {
		if (strcmp(subject->text, kept_by_kernel[i]) == 0) {
			return true;
		}
	}
	return false;
}

enum inside { INSIDE_NOTHING, INSIDE_STILL, INSIDE_CHANGEABLE };

/* Of what a later rule allows; and can a program change the names there? */
static enum inside inside_of(const struct survey *survey, size_t index)
{
	enum inside inside = INSIDE_NOTHING;

	for (size_t i = kin_next(&survey->kin, index, index); i != index;
		i = kin_next(&survey->kin, index, i)) {
		if (i < index || !allows(survey, i) ||
			!overlap(pattern_of(survey, index), pattern_of(survey, i))) {
			continue;
		}
		if (is_changeable(survey, i)) {
			return INSIDE_CHANGEABLE;
		}
		inside = INSIDE_STILL;
	}
	return inside;
}

static enum mechanism_obstacle look_at_denial(const struct survey *survey, size_t index, char *sign)
{
	const struct policy_choice *path = &survey->policy->paths[index];
	const struct pattern *pattern = path->subject->path.pattern;
	bool has_errno = path->rule->error != EACCES;
	enum inside inside = inside_of(survey, index);

	if (path->rule->audit) {
		return OBSTACLE_LOGGED;
	}
	if (!has_errno && (inside == INSIDE_NOTHING || is_kept_by_kernel(path->subject))) {
		return OBSTACLE_NONE;
	}
	if (pattern_has_inner_tree(pattern) || reaches(pattern, processes, sizeof(processes) - 1)) {
		return inside == INSIDE_NOTHING ? OBSTACLE_ERRNO : OBSTACLE_INSIDE;
	}
	if (inside == INSIDE_STILL) {
		*sign = has_errno ? WIRE_READING_ABSENT_DENY : WIRE_READING_DENY;
		return OBSTACLE_NONE;
	}
	if (may_appear(survey, index)) {
		return inside == INSIDE_NOTHING ? OBSTACLE_ERRNO : OBSTACLE_INSIDE;
	}
	*sign = WIRE_READING_ABSENT;
	return OBSTACLE_NONE;
}

/* ---- what is allowed ---- */

static bool may_be_made(const struct policy *policy, const char *path)
{
	return policy_decide_file(policy, OPERATION_CREATE, path).action == POLICY_ALLOW;
}

/* A directory that the program may make must be there; one above it is not made for it. */
static enum mechanism_obstacle look_at_top(
	const struct survey *survey, const struct pattern *pattern, char *path, char *sign)
{
	if (!may_be_made(survey->policy, path)) {
		return OBSTACLE_NONE;
	}
	if (!pattern_is_tree(pattern)) {
		return OBSTACLE_SINGLE;
	}
	char *slash = strrchr(path, '/');
	*slash = '\0';
	if (may_be_made(survey->policy, *path ? path : "/")) {
		return OBSTACLE_TOP;
	}
	*slash = '/';
	*sign = WIRE_READING_MAKE;
	return OBSTACLE_NONE;
}

static bool is_in_processes(const struct pattern *pattern)
{
	char path[PATH_MAX];
	size_t length = beginning(pattern, path);

	return length >= sizeof(processes) - 1 &&
	       memcmp(path, processes, sizeof(processes) - 1) == 0 &&
	       (path[sizeof(processes) - 1] == '/' || path[sizeof(processes) - 1] == '\0');
}

/* All of /proc or nothing: its files come and go. */
static enum mechanism_obstacle look_at_processes(
	const struct survey *survey, size_t index, char *sign)
{
	const struct pattern *pattern = pattern_of(survey, index);

	if (mechanism_is_nested(survey, index, OPERATION_READ)) {
		return OBSTACLE_NONE;
	}
	if (!is_in_processes(pattern) || !pattern_is_tree(pattern) ||
		!pattern_matches(pattern, processes, sizeof(processes) - 1)) {
		return OBSTACLE_PROCESSES;
	}
	*sign = WIRE_READING_ALLOW;
	return OBSTACLE_NONE;
}

static enum mechanism_obstacle look_at_allowed(
	const struct survey *survey, size_t index, char *sign)
{
	const struct policy_choice *choice = &survey->policy->paths[index];
	const struct pattern *pattern = choice->subject->path.pattern;
	char path[PATH_MAX];
	size_t length = beginning(pattern, path);

	if (choice->rule->audit) {
		return OBSTACLE_LOGGED;
	}
	if (is_in_processes(pattern) || reaches(pattern, processes, sizeof(processes) - 1)) {
		return look_at_processes(survey, index, sign);
	}
	if (pattern_has_inner_tree(pattern)) {
		return OBSTACLE_PATTERN;
	}
	*sign = WIRE_READING_ALLOW;
	if (mechanism_is_nested(survey, index, OPERATION_READ)) {
		return OBSTACLE_NONE;
	}
	if (!pattern_is_tree(pattern) && !pattern_literal(pattern) &&
		is_changeable(survey, index)) {
		return OBSTACLE_MOVABLE;
	}
	if (mechanism_is_movable(survey->policy, path, length)) {
		return OBSTACLE_MOVABLE;
	}
	(void)beginning(pattern, path);
	return look_at_top(survey, pattern, path, sign);
}

/* ---- all of them ---- */

/* `*sign` is how it is told, or UNTOLD. */
static enum mechanism_obstacle look_at(const struct survey *survey, size_t index, char *sign)
{
	enum policy_action action = survey->policy->paths[index].rule->action;
	enum mechanism_obstacle obstacle = OBSTACLE_ACTION;

	*sign = UNTOLD;
	if (!decides(survey, index)) {
		return OBSTACLE_NONE;
	}
	if (action == POLICY_DENY) {
		obstacle = look_at_denial(survey, index, sign);
	} else if (action == POLICY_ALLOW) {
		obstacle = look_at_allowed(survey, index, sign);
	}
	if (obstacle == OBSTACLE_NONE && *sign != UNTOLD &&
		pattern_wire_length(pattern_of(survey, index)) == 0) {
		return OBSTACLE_PATTERN;
	}
	return obstacle;
}

struct mechanism_choice reading_choose(
	const struct survey *survey, char signs[MECHANISM_SUBJECTS_MAX])
{
	const struct policy *policy = survey->policy;

	for (size_t i = 0; i < policy->path_count; i++) {
		enum mechanism_obstacle obstacle = look_at(survey, i, &signs[i]);

		if (obstacle != OBSTACLE_NONE) {
			return (struct mechanism_choice){MECHANISM_BROKER, obstacle,
				policy->paths[i].rule, policy->paths[i].subject};
		}
	}
	return (struct mechanism_choice){.mechanism = MECHANISM_LANDLOCK};
}

/* SIGN PATTERN, with its NUL. */
static int append(struct string_pack *grants, char sign, const struct pattern *pattern)
{
	char *text;
	int error = string_pack_add(
		grants, WIRE_GRANTS_MAX, 1 + pattern_wire_length(pattern) + 1, &text);

	if (error == 0) {
		*text++ = sign;
		*pattern_wire_write(text, pattern) = '\0';
	}
	return error;
}

int reading_rules_append(struct string_pack *grants, const struct policy *policy, const char *signs)
{
	int error = 0;

	for (size_t i = 0; i < policy->path_count && error == 0; i++) {
		if (signs[i] != UNTOLD) {
			error = append(grants, signs[i], policy->paths[i].subject->path.pattern);
		}
	}
	return error;
}
