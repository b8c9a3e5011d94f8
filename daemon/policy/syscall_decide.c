/* SPDX-License-Identifier: Apache-2.0 */
/* See syscall_decide.h. */
#include "daemon/policy/syscall_decide.h"

#include "daemon/policy/filter_compare.h"
#include "daemon/policy/model.h"
#include "daemon/policy/syscall_arguments.h"

bool syscall_subject_names(const struct syscall_subject *subject, int nr)
{
	for (size_t i = 0; i < subject->number_count; i++) {
		if (subject->numbers[i] == nr) {
			return true;
		}
	}
	return false;
}

static bool subject_matches(
	const struct syscall_subject *subject, int nr, const unsigned long long args[6])
{
	if (!syscall_subject_names(subject, nr)) {
		return false;
	}
	for (size_t i = 0; i < subject->comparison_count; i++) {
		const struct comparison *comparison = &subject->comparisons[i];

		if (!comparison_holds(comparison, args[comparison->argument],
			    syscall_width(nr, comparison->argument))) {
			return false;
		}
	}
	return true;
}

static struct policy_verdict verdict_of(
	const struct policy_rule *rule, const struct policy_subject *subject)
{
	return (struct policy_verdict){
		.action = rule->action,
		.error = rule->action == POLICY_DENY ? rule->error : 0,
		.log = false, /* the kernel decides, and says nothing */
		.rule = rule,
		.subject = subject,
	};
}

struct policy_verdict policy_decide_syscall(
	const struct policy *policy, int nr, const unsigned long long args[6])
{
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, POLICY_SYSCALLS, &count);

	if (!policy_has_section(policy, POLICY_SYSCALLS)) {
		return verdict_of(&policy->sections[POLICY_SYSCALLS].absent, NULL);
	}
	for (size_t i = 0; i + 1 < count; i++) {
		for (size_t k = 0; k < rules[i].subject_count; k++) {
			if (subject_matches(&rules[i].subjects[k].syscall, nr, args)) {
				return verdict_of(&rules[i], &rules[i].subjects[k]);
			}
		}
	}
	return verdict_of(&rules[count - 1], NULL);
}
