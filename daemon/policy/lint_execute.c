/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock decides on executing, and decides otherwise than the broker: it has one errno and no
 * log, knows no wildcards, judges the loader as well as the program, and does not judge memory
 * files.
 */
#include "daemon/policy/lint_execute.h"

#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/execute.h"
#include "daemon/policy/syscall_decide.h"

/* The loader of the programs of this machine, as the psABI names it. */
#define LOADER "/lib64/ld-linux-x86-64.so.2"

static void lint_wildcards(struct lint *lint, const struct policy_rule *rule)
{
	for (size_t i = 0; (rule->operations & OPERATION_EXECUTE) != 0 && i < rule->subject_count;
		i++) {
		const struct policy_subject *subject = &rule->subjects[i];

		if (!execute_pattern_is_enforceable(subject->path.pattern)) {
			lint_warn(lint, lint_place_of(rule, subject),
				"'all' leaves out execute for '%s': Landlock, which enforces it, "
				"knows files and whole directories",
				subject->text);
		}
	}
}

static void lint_answer(struct lint *lint, const struct policy_rule *rule)
{
	bool other_errno = rule->action == POLICY_DENY && rule->error != EACCES;

	if ((rule->named & OPERATION_EXECUTE) != 0 && (other_errno || rule->audit)) {
		lint_warn(lint, lint_place_of(rule, NULL),
			"executing is enforced by Landlock: a denial is EACCES, and nothing about "
			"it is logged");
	}
}

static bool may_execute(const struct policy *policy, const char *path)
{
	return policy_decide_file(policy, OPERATION_EXECUTE, path).action == POLICY_ALLOW;
}

static void lint_loader(struct lint *lint, struct policy_place place)
{
	cleanup_free char *loader = realpath(LOADER, NULL);

	if (loader && !may_execute(lint->policy, loader)) {
		lint_warn(lint, place,
			"%s may not be executed: it loads all programs that are not static, so "
			"these cannot be started",
			loader);
	}
}

/* A memory file lies in no directory: Landlock lets it be executed whatever the rules say. */
static void lint_memory_files(struct lint *lint, struct policy_place place)
{
	static const unsigned long long arguments[6] = {0, MFD_CLOEXEC};
	struct policy_verdict verdict = {.action = POLICY_ALLOW};

	if (lint->policy->sections[POLICY_SYSCALLS].present) {
		verdict = policy_decide_syscall(lint->policy, SCMP_SYS(memfd_create), arguments);
	}
	if (verdict.action == POLICY_ALLOW) {
		lint_warn(lint, place,
			"what a program writes into memory (memfd_create) can be executed all the "
			"same; [syscalls] can refuse it: deny EACCES = memfd_create(arg1 & 8 == "
			"0)");
	}
}

/* The first rule that says `execute`; NULL if none does. */
static const struct policy_rule *find_first(const struct policy *policy)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, POLICY_FILES, &count);

	for (size_t i = 0; i < count; i++) {
		if ((rules[i].named & OPERATION_EXECUTE) != 0) {
			return &rules[i];
		}
	}
	return NULL;
}

void lint_execute(struct lint *lint)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(lint->policy, POLICY_FILES, &count);
	const struct policy_rule *first = find_first(lint->policy);

	if (!first) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		lint_wildcards(lint, &rules[i]);
		lint_answer(lint, &rules[i]);
	}
	if (policy_mediates_file(lint->policy, OPERATION_EXECUTE)) {
		lint_loader(lint, lint_place_of(first, NULL));
		lint_memory_files(lint, lint_place_of(first, NULL));
	}
}
