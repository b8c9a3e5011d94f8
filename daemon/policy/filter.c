/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan made into a program (filter_program.h). A call whose arguments matter goes on to a block
 * behind the dispatch, where its clauses are tried as they are written. (libseccomp's rules on
 * arguments have a precedence of their own, not the first match, and its trees over numbers take
 * ten times as long to make as all the rest; its names and architectures are what is used of it.)
 *
 * Each number has its action, those that nothing was said about, too: what a younger kernel has
 * beyond the calls that this version knows may be one more way to a file.
 *
 * The program is made for this machine's own calling convention; all others (i386, x32) get ENOSYS,
 * as on a kernel that was built without them.
 */
#include "daemon/policy/filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>

#include "daemon/policy/filter_block.h"
#include "daemon/policy/filter_calls.h"
#include "daemon/policy/filter_plan.h"
#include "daemon/policy/filter_program.h"

static int check_notifications(int nr, const struct plan_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct plan_clause *clause = &list->clauses[i];

		if (clause->answer.answer == FILTER_NOTIFY &&
			!filter_clause_may_notify(nr, clause->count > 0)) {
			return -EINVAL;
		}
	}
	return 0;
}

static bool depends_on_arguments(const struct plan_list *list)
{
	uint32_t first = filter_action(&list->clauses[0].answer);

	for (size_t i = 0; i < list->count && list->clauses[0].count; i++) {
		if (filter_action(&list->clauses[i].answer) != first) {
			return true;
		}
	}
	return false;
}

/* The action for a call by its number: an answer, or the block that has it. */
static int decide_call(
	struct filter_blocks *blocks, int nr, const struct plan_list *list, uint32_t *actionp)
{
	size_t block = 0;
	int error = check_notifications(nr, list);

	if (error) {
		return error;
	}
	if (!depends_on_arguments(list)) {
		*actionp = filter_action(&list->clauses[0].answer);
		return 0;
	}
	error = filter_blocks_add(blocks, nr, list, &block);
	*actionp = FILTER_TO_BLOCK | (uint32_t)block;
	return error;
}

static uint32_t default_action(const struct plan *plan, int nr)
{
	const struct plan_answer answer = plan_default(plan, nr);

	return filter_action(&answer);
}

static int add_call(struct filter_dispatch *dispatch, struct filter_blocks *blocks,
	const struct plan *plan, int nr)
{
	struct plan_list list = {0};
	int error;

	if (!plan_has_clauses(plan, nr)) {
		dispatch->actions[nr] = default_action(plan, nr);
		return 0;
	}
	error = plan_call_list(plan, nr, &list);
	if (!error) {
		error = decide_call(blocks, nr, &list, &dispatch->actions[nr]);
	}
	plan_list_finish(&list);
	return error;
}

static int compile_plan(struct filter *filter, const struct plan *plan)
{
	struct filter_dispatch dispatch = {.beyond = default_action(plan, FILTER_CALLS),
		.foreign = SECCOMP_RET_ERRNO | ENOSYS};
	struct filter_blocks blocks = {0};
	int error = 0;

	for (int nr = 0; nr < FILTER_CALLS && !error; nr++) {
		error = add_call(&dispatch, &blocks, plan, nr);
	}
	if (!error) {
		error = filter_program_make(filter, &dispatch, &blocks.code);
	}
	filter_blocks_finish(&blocks);
	return error;
}

int filter_compile(
	struct filter *filter, const struct policy *policy, const struct filter_options *options)
{
	struct plan *plan = NULL;
	int error;

	*filter = (struct filter){0};
	error = plan_make(&plan, policy, options);
	if (!error) {
		error = compile_plan(filter, plan);
	}
	plan_free(plan);
	return error;
}

void filter_finish(struct filter *filter)
{
	free(filter->instructions);
	*filter = (struct filter){0};
}
