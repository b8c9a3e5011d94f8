/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making the plan: [syscalls] as it is written, rule by rule and number by number, the mediation
 * beside it, and how the two make one list.
 */
#include "daemon/policy/filter_plan.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/policy/syscall_account.h"

static_assert(COMPARISONS_MAX + 3 <= PLAN_COMPARISONS, "a rule's comparisons and a mediation's");

static int add_clause(struct plan_list *list, const struct plan_clause *clause)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 1; /* most have one */
		struct plan_clause *clauses =
			reallocarray(list->clauses, capacity, sizeof(*clauses));

		if (!clauses) {
			return -ENOMEM;
		}
		list->clauses = clauses;
		list->capacity = capacity;
	}
	list->clauses[list->count++] = *clause;
	return 0;
}

void plan_list_finish(struct plan_list *list)
{
	free(list->clauses);
	*list = (struct plan_list){0};
}

int plan_call_add(struct plan *plan, int nr, size_t list_offset, const struct plan_clause *clause)
{
	if (nr < 0 || nr >= FILTER_CALLS) {
		return 0;
	}
	return add_clause(
		(struct plan_list *)(void *)((char *)&plan->calls[nr] + list_offset), clause);
}

static struct plan_answer answer_of_rule(const struct policy_rule *rule)
{
	switch (rule->action) {
	case POLICY_DENY:
		return (struct plan_answer){FILTER_ERRNO, rule->error};
	case POLICY_KILL:
		return (struct plan_answer){FILTER_KILL, 0};
	case POLICY_ALLOW:
	case POLICY_INJECT: /* the parser has refused it in [syscalls] */
		break;
	}
	return (struct plan_answer){FILTER_ALLOW, 0};
}

static int add_syscall_subject(
	struct plan *plan, const struct policy_rule *rule, const struct syscall_subject *subject)
{
	struct plan_clause clause = {.answer = answer_of_rule(rule)};
	int error = 0;

	for (size_t i = 0; i < subject->comparison_count; i++) {
		clause.comparisons[clause.count++] = subject->comparisons[i];
	}
	for (size_t i = 0; i < subject->number_count && !error; i++) {
		error = plan_call_add(
			plan, subject->numbers[i], offsetof(struct plan_call, rules), &clause);
	}
	return error;
}

static int add_syscall_rules(struct plan *plan, const struct policy *policy)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, POLICY_SYSCALLS, &count);

	for (size_t i = 0; i < count; i++) {
		if (rules[i].is_default) {
			plan->fallback = answer_of_rule(&rules[i]);
		}
		for (size_t k = 0; k < rules[i].subject_count; k++) {
			int error =
				add_syscall_subject(plan, &rules[i], &rules[i].subjects[k].syscall);

			if (error) {
				return error;
			}
		}
	}
	return 0;
}

int plan_make(
	struct plan **planp, const struct policy *policy, const struct filter_options *options)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	int error = 0;

	if (!plan) {
		return -ENOMEM;
	}
	plan->fallback = (struct plan_answer){FILTER_ALLOW, 0};
	if (policy_has_section(policy, POLICY_SYSCALLS)) {
		error = add_syscall_rules(plan, policy);
	}
	if (!error) {
		error = plan_mediate(plan, policy, options);
	}
	if (error) {
		plan_free(plan);
		return error;
	}
	*planp = plan;
	return 0;
}

void plan_free(struct plan *plan)
{
	if (!plan) {
		return;
	}
	for (size_t i = 0; i < FILTER_CALLS; i++) {
		plan_list_finish(&plan->calls[i].always);
		plan_list_finish(&plan->calls[i].rules);
		plan_list_finish(&plan->calls[i].mediation);
	}
	free(plan);
}

static int clause_conjoin(struct plan_clause *clause, const struct plan_clause *with)
{
	if (clause->count + with->count > PLAN_COMPARISONS) {
		return -E2BIG;
	}
	memcpy(clause->comparisons + clause->count, with->comparisons,
		with->count * sizeof(with->comparisons[0]));
	clause->count += with->count;
	return 0;
}

/* What becomes of the calls that a rule lets through: the mediation's answers, else the rule's. */
static int add_mediated(
	struct plan_list *list, const struct plan_clause *rule, const struct plan_list *mediation)
{
	for (size_t i = 0; i < mediation->count; i++) {
		struct plan_clause clause = mediation->clauses[i];
		int error = clause_conjoin(&clause, rule);

		if (!error) {
			error = add_clause(list, &clause);
		}
		if (error || !mediation->clauses[i].count) {
			return error;
		}
	}
	return add_clause(list, rule);
}

static const struct plan_answer does_not_exist = {FILTER_ERRNO, ENOSYS};

static bool is_unknown(const struct plan *plan, int nr)
{
	return plan->refuses_unknown && !syscall_account(nr);
}

struct plan_answer plan_default(const struct plan *plan, int nr)
{
	return plan->fallback.answer == FILTER_ALLOW && is_unknown(plan, nr) ? does_not_exist
									     : plan->fallback;
}

bool plan_has_clauses(const struct plan *plan, int nr)
{
	const struct plan_call *call = &plan->calls[nr];

	return call->always.count || call->rules.count || call->mediation.count;
}

int plan_call_list(const struct plan *plan, int nr, struct plan_list *list)
{
	const struct plan_call *call = &plan->calls[nr];
	const struct plan_clause fallback = {.answer = plan->fallback};
	struct plan_clause refusal = {.answer = does_not_exist};
	const struct plan_list refusals = {.clauses = &refusal, .count = 1};
	const struct plan_list *mediation = is_unknown(plan, nr) ? &refusals : &call->mediation;
	int error = 0;

	for (size_t i = 0; i < call->always.count && !error; i++) {
		error = add_clause(list, &call->always.clauses[i]);
	}
	for (size_t i = 0; i <= call->rules.count && !error; i++) {
		const struct plan_clause *rule =
			i < call->rules.count ? &call->rules.clauses[i] : &fallback;

		error = rule->answer.answer == FILTER_ALLOW ? add_mediated(list, rule, mediation)
							    : add_clause(list, rule);
		if (!rule->count) {
			break;
		}
	}
	return error;
}
