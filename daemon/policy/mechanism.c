/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operation's subjects are looked at in their order, without those that earlier ones cover: no
 * call is ever decided by them. Then what operations owe each other: the kernel opens what it
 * executes, and makes a file before it finds out that it may not be written.
 */
#include "daemon/policy/mechanism.h"

#include <errno.h>
#include <limits.h>
#include <seccomp.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/grants.h"
#include "daemon/policy/model.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/reading.h"
#include "daemon/policy/syscall_decide.h"
#include "daemon/policy/syscall_younger.h"

/* ---- the policy as a whole ---- */

/* Refuses [syscalls] this call whatever its arguments are? */
static bool refuses(const struct policy *policy, int nr)
{
	const struct policy_section_rules *calls = &policy->sections[POLICY_SYSCALLS];

	for (size_t i = 0; calls->present && i < calls->count; i++) {
		const struct policy_rule *rule = &calls->rules[i];
		bool lets = rule->action == POLICY_ALLOW;

		if (rule->is_default) {
			return !lets;
		}
		for (size_t k = 0; k < rule->subject_count; k++) {
			const struct syscall_subject *subject = &rule->subjects[k].syscall;

			if (!syscall_subject_names(subject, nr)) {
				continue;
			}
			if (lets || subject->comparison_count == 0) {
				return !lets;
			}
		}
	}
	return false;
}

/* These give a file another name; what makes a mount ready for them does not. */
static bool refuses_mounts(const struct policy *policy)
{
	static const int calls[] = {SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(move_mount),
		SCMP_SYS(pivot_root), SCMP_SYS(open_tree), SCMP_SYS(open_tree_attr),
		SCMP_SYS(fsmount), SCMP_SYS(chroot)};

	for (size_t i = 0; i < array_length(calls); i++) {
		if (!refuses(policy, calls[i])) {
			return false;
		}
	}
	return true;
}

static enum mechanism_obstacle obstacle_of_policy(const struct policy *policy)
{
	if (policy->mechanism == MECHANISM_ALL_BROKER) {
		return OBSTACLE_ASKED;
	}
	if (!refuses_mounts(policy)) {
		return OBSTACLE_MOUNTS;
	}
	return policy_mediates_file(policy, OPERATION_CREATE) ||
			       policy_mediates_file(policy, OPERATION_REMOVE)
		       ? OBSTACLE_NONE
		       : OBSTACLE_MOVES;
}

/* ---- one operation ---- */

static bool is_kernels(const struct policy *policy, unsigned int operation)
{
	return policy->mechanism == MECHANISM_KERNEL && operation == OPERATION_READ;
}

static const struct pattern *pattern_of(const struct policy *policy, size_t index)
{
	return policy->paths[index].subject->path.pattern;
}

/* Of what a subject speaks of, earlier ones have taken what they cover. */
static void take_survey(struct survey *survey, const struct policy *policy)
{
	unsigned int *live = survey->live;

	kin_find(&survey->kin, policy);
	for (size_t i = 0; i < policy->path_count; i++) {
		live[i] = policy->paths[i].operations;
		for (size_t k = kin_next(&survey->kin, i, i); k != i;
			k = kin_next(&survey->kin, i, k)) {
			if (k < i && (live[i] & live[k]) != 0 &&
				pattern_covers(pattern_of(policy, k), pattern_of(policy, i))) {
				live[i] &= ~live[k];
			}
		}
	}
}

bool mechanism_is_nested(const struct survey *survey, size_t index, unsigned int operation)
{
	const struct policy *policy = survey->policy;

	for (size_t i = kin_next(&survey->kin, index, index); i != index;
		i = kin_next(&survey->kin, index, i)) {
		if ((survey->live[i] & operation) != 0 &&
			policy->paths[i].rule->action == POLICY_ALLOW &&
			pattern_is_tree(pattern_of(policy, i)) &&
			pattern_covers(pattern_of(policy, i), pattern_of(policy, index))) {
			return true;
		}
	}
	return false;
}

static enum mechanism_obstacle obstacle_of_denial(const struct policy_rule *rule)
{
	if (!rule->quiet || rule->audit) {
		return OBSTACLE_LOGGED;
	}
	return rule->error == EACCES ? OBSTACLE_NONE : OBSTACLE_ERRNO;
}

static bool is_change_of_names(unsigned int operation)
{
	return (operation & (OPERATION_CREATE | OPERATION_REMOVE)) != 0;
}

/*
 * Does an earlier rule deny something in the directory `top`? That it itself cannot be created or
 * removed is what Landlock has, too.
 */
static bool is_denied_inside(const struct survey *survey, size_t index, unsigned int operation,
	const char *top, size_t length)
{
	const struct policy *policy = survey->policy;

	for (size_t i = kin_next(&survey->kin, index, index); i != index;
		i = kin_next(&survey->kin, index, i)) {
		const struct pattern *pattern = pattern_of(policy, i);

		if (i > index || policy->paths[i].rule->action == POLICY_ALLOW ||
			(survey->live[i] & operation) == 0) {
			continue;
		}
		if (pattern_reach_below(pattern, top, length) != PATTERN_NOTHING ||
			(!is_change_of_names(operation) && pattern_matches(pattern, top, length))) {
			return true;
		}
	}
	return false;
}

static bool is_refused(const struct policy *policy, unsigned int operation, const char *path)
{
	enum policy_action action = policy_decide_file(policy, operation, path).action;

	return action == POLICY_DENY || action == POLICY_KILL;
}

bool mechanism_is_movable(const struct policy *policy, char *path, size_t length)
{
	while (length > 1) {
		path[length] = '\0';
		if (!is_refused(policy, OPERATION_REMOVE, path)) {
			return true;
		}
		do {
			length--;
		} while (length > 0 && path[length] != '/');
	}
	return false;
}

static bool takes_processes_in(const struct pattern *pattern, const char *top)
{
	static const char processes[] = "/proc/";
	size_t length = sizeof(processes) - 1;

	return pattern_matches(pattern, processes, length - 1) ||
	       strncmp(top, processes, length) == 0;
}

/* Of an allowed file or whole directory. */
static enum mechanism_obstacle obstacle_of_place(
	const struct survey *survey, size_t index, unsigned int operation)
{
	const struct pattern *pattern = pattern_of(survey->policy, index);
	char top[PATH_MAX];
	size_t length;
	const char *prefix = pattern_prefix(pattern, &length);

	if (length >= sizeof(top)) {
		return OBSTACLE_SIZE;
	}
	memcpy(top, length > 0 ? prefix : "/", length > 0 ? length : 1);
	length = length > 0 ? length : 1;
	top[length] = '\0';
	if (takes_processes_in(pattern, top)) {
		return OBSTACLE_PROCESSES;
	}
	if (mechanism_is_nested(survey, index, operation)) {
		return OBSTACLE_NONE;
	}
	if (pattern_is_tree(pattern) && is_denied_inside(survey, index, operation, top, length)) {
		return OBSTACLE_INSIDE;
	}
	if (is_change_of_names(operation) && !is_refused(survey->policy, operation, top)) {
		return OBSTACLE_TOP;
	}
	return mechanism_is_movable(survey->policy, top, length) ? OBSTACLE_MOVABLE : OBSTACLE_NONE;
}

static enum mechanism_obstacle obstacle_of_path(
	const struct survey *survey, size_t index, unsigned int operation)
{
	const struct policy_rule *rule = survey->policy->paths[index].rule;
	const struct pattern *pattern = pattern_of(survey->policy, index);

	if (rule->action == POLICY_DENY) {
		return obstacle_of_denial(rule);
	}
	if (rule->action != POLICY_ALLOW) {
		return OBSTACLE_ACTION;
	}
	if (rule->audit) {
		return OBSTACLE_LOGGED;
	}
	const char *literal = pattern_literal(pattern);
	if (!pattern_is_tree(pattern) && (!literal || strcmp(literal, "/") == 0)) {
		return OBSTACLE_PATTERN;
	}
	if (!pattern_is_tree(pattern) && is_change_of_names(operation)) {
		return OBSTACLE_SINGLE;
	}
	return obstacle_of_place(survey, index, operation);
}

static struct mechanism_choice founder(enum mechanism_obstacle obstacle,
	const struct policy_rule *rule, const struct policy_subject *subject)
{
	return (struct mechanism_choice){MECHANISM_BROKER, obstacle, rule, subject};
}

static bool is_too_long(const struct policy *policy)
{
	return policy->path_count > MECHANISM_SUBJECTS_MAX;
}

static bool is_obstacle(
	const struct policy *policy, unsigned int operation, const struct policy_rule *fallback)
{
	if (fallback->action != POLICY_DENY) {
		return true;
	}
	return is_kernels(policy, operation) ? fallback->audit || fallback->error != EACCES
					     : obstacle_of_denial(fallback) != OBSTACLE_NONE;
}

/* By the rules that speak of it, and the default. */
static struct mechanism_choice choose(
	const struct survey *survey, unsigned int operation, char *signs)
{
	const struct policy_section_rules *files = &survey->policy->sections[POLICY_FILES];
	const struct policy_rule *fallback = &files->rules[files->count - 1];

	if (is_obstacle(survey->policy, operation, fallback)) {
		return founder(OBSTACLE_DEFAULT, fallback, NULL);
	}
	if (is_too_long(survey->policy)) {
		return founder(OBSTACLE_SUBJECTS, NULL, NULL);
	}
	if (is_kernels(survey->policy, operation)) {
		return reading_choose(survey, signs);
	}
	for (size_t i = 0; i < survey->policy->path_count; i++) {
		const struct policy_choice *path = &survey->policy->paths[i];
		enum mechanism_obstacle obstacle = (survey->live[i] & operation) != 0
							   ? obstacle_of_path(survey, i, operation)
							   : OBSTACLE_NONE;

		if (obstacle != OBSTACLE_NONE) {
			return founder(obstacle, path->rule, path->subject);
		}
	}
	return (struct mechanism_choice){.mechanism = MECHANISM_LANDLOCK};
}

/* ---- what they owe each other ---- */

/* Also by something else in its place: of what is Landlock's there is no such rule. */
static bool allows(const struct survey *survey, size_t index, unsigned int operation)
{
	enum policy_action action = survey->policy->paths[index].rule->action;

	return (action == POLICY_ALLOW || action == POLICY_INJECT) &&
	       (survey->live[index] & operation) != 0;
}

/* Is all that this path takes in allowed for another operation, by one rule? */
static bool is_allowed_for(const struct survey *survey, size_t index, unsigned int operation)
{
	const struct pattern *pattern = pattern_of(survey->policy, index);
	size_t i = index;

	do {
		if (allows(survey, i, operation) &&
			pattern_covers(pattern_of(survey->policy, i), pattern)) {
			return true;
		}
		i = kin_next(&survey->kin, index, i);
	} while (i != index);
	return false;
}

#define NO_PATH SIZE_MAX

/* The first path that is allowed for `operation` and not for all of `others`. */
static size_t find_more(const struct survey *survey, unsigned int operation, unsigned int others)
{
	for (size_t i = 0; i < survey->policy->path_count; i++) {
		if (!allows(survey, i, operation)) {
			continue;
		}
		for (unsigned int rest = others; rest != 0; rest &= rest - 1) {
			if (!is_allowed_for(survey, i, rest & -rest)) {
				return i;
			}
		}
	}
	return NO_PATH;
}

/*
 * A file that is allowed by itself, and not as a part of a directory; or what may let a directory
 * be granted file by file.
 */
static size_t find_file(const struct survey *survey, unsigned int operation)
{
	for (size_t i = 0; i < survey->policy->path_count; i++) {
		bool by_file = is_kernels(survey->policy, operation)
				       ? !allows(survey, i, operation) ||
						 !pattern_is_tree(pattern_of(survey->policy, i))
				       : allows(survey, i, operation) &&
						 pattern_literal(pattern_of(survey->policy, i));

		if ((survey->live[i] & operation) != 0 && by_file) {
			return i;
		}
	}
	return NO_PATH;
}

/* Can something be created where the operation is denied? */
static bool outreaches(const struct survey *survey, unsigned int operation)
{
	return !policy_mediates_file(survey->policy, OPERATION_CREATE) ||
	       find_more(survey, OPERATION_CREATE, operation) != NO_PATH;
}

/* What was thought to be Landlock's is not, because of this path. */
static void owe(struct mechanism_choice *choice, const struct survey *survey, size_t index,
	enum mechanism_obstacle obstacle)
{
	if (choice->mechanism == MECHANISM_LANDLOCK && index != NO_PATH) {
		const struct policy_choice *path = &survey->policy->paths[index];

		*choice = founder(obstacle, path->rule, path->subject);
	}
}

static unsigned int landlocks(const struct mechanisms *mechanisms)
{
	unsigned int operations = 0;

	for (unsigned int i = 0; i < MECHANISM_OPERATIONS; i++) {
		if (mechanisms->choices[i].mechanism == MECHANISM_LANDLOCK) {
			operations |= 1u << i;
		}
	}
	return operations;
}

/* Names of single files are the files'; by a link they get others. */
static void settle_links(struct mechanisms *mechanisms, const struct survey *survey)
{
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int operation = 1u << i;

		if (mechanisms->choices[i].mechanism == MECHANISM_LANDLOCK &&
			outreaches(survey, operation)) {
			owe(&mechanisms->choices[i], survey, find_file(survey, operation),
				OBSTACLE_LINKS);
		}
	}
}

static void settle_execute(struct mechanism_choice *read, const struct survey *survey)
{
	unsigned int named = survey->policy->sections[POLICY_FILES].named;

	if (read->mechanism == MECHANISM_LANDLOCK && (named & OPERATION_EXECUTE) == 0) {
		*read = founder(OBSTACLE_EXECUTE, NULL, NULL);
	}
	owe(read, survey, find_more(survey, OPERATION_EXECUTE, OPERATION_READ), OBSTACLE_EXECUTE);
}

static void settle(struct mechanisms *mechanisms, const struct survey *survey)
{
	struct mechanism_choice *read = &mechanisms->choices[0], *create = &mechanisms->choices[2];

	settle_links(mechanisms, survey);
	if (!is_kernels(survey->policy, OPERATION_READ)) {
		settle_execute(read, survey);
	}
	owe(create, survey,
		find_more(survey, OPERATION_CREATE,
			landlocks(mechanisms) & (OPERATION_READ | OPERATION_WRITE)),
		OBSTACLE_UNREADABLE);
}

/* The client can be told what is Landlock's only if all of it can be told. */
static void fit(struct mechanisms *mechanisms, const struct survey *survey)
{
	struct string_pack grants;
	int error = grants_make(&grants, survey->policy, mechanisms, landlocks(mechanisms));

	string_pack_finish(&grants);
	for (size_t i = 0; error < 0 && i < MECHANISM_OPERATIONS; i++) {
		if (mechanisms->choices[i].mechanism == MECHANISM_LANDLOCK) {
			mechanisms->choices[i] = founder(OBSTACLE_SIZE, NULL, NULL);
		}
	}
}

/* Else nobody looks at the subjects. */
static bool may_be_landlocks(const struct policy *policy)
{
	const struct policy_section_rules *files = &policy->sections[POLICY_FILES];

	for (unsigned int i = 0; i < MECHANISM_OPERATIONS; i++) {
		if (policy_mediates_file(policy, 1u << i) &&
			!is_obstacle(policy, 1u << i, &files->rules[files->count - 1])) {
			return !is_too_long(policy);
		}
	}
	return false;
}

/* Where everything is allowed nobody is needed. */
static void choose_for_all(struct mechanisms *mechanisms, const struct survey *survey,
	enum mechanism_obstacle obstacle)
{
	for (unsigned int i = 0; i < MECHANISM_OPERATIONS; i++) {
		if (policy_mediates_file(survey->policy, 1u << i)) {
			mechanisms->choices[i] =
				obstacle == OBSTACLE_NONE
					? choose(survey, 1u << i, mechanisms->signs)
					: founder(obstacle, NULL, NULL);
		}
	}
}

void mechanisms_choose(struct mechanisms *mechanisms, const struct policy *policy)
{
	enum mechanism_obstacle obstacle = obstacle_of_policy(policy);
	struct survey *survey = &mechanisms->survey;

	*mechanisms = (struct mechanisms){.survey.policy = policy};
	if (obstacle == OBSTACLE_NONE && may_be_landlocks(policy)) {
		take_survey(survey, policy);
	}
	choose_for_all(mechanisms, survey, obstacle);
	if (landlocks(mechanisms) != 0) {
		settle(mechanisms, survey);
		fit(mechanisms, survey);
	}
	mechanisms->landlock = landlocks(mechanisms);
}
