/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan made into a program. libseccomp makes the dispatch: architecture, and a tree over the
 * numbers. A call that gets one answer gets it there, by number and architecture alone, which is
 * what the kernel keeps a bitmap of. A call whose arguments matter goes on to a block behind the
 * dispatch, where its clauses are tried as they are written. (libseccomp's own rules on arguments
 * have a precedence of their own, not the first match; cut into disjoint ones, 2.5.4 mistakes some
 * orderings for another and does not come back from others.)
 *
 * A number that nothing was said about is looked at once more at the end: what a younger kernel
 * has beyond the calls that this version knows may be one more way to a file.
 *
 * The program is made for this machine's own calling convention; all others (i386, x32) get ENOSYS,
 * as on a kernel that was built without them.
 */
#include "daemon/policy/filter.h"

#include <assert.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter_block.h"
#include "daemon/policy/filter_calls.h"
#include "daemon/policy/filter_end.h"
#include "daemon/policy/filter_plan.h"

/* Where the program goes to a block; no policy asks for tracing. */
#define ACTION_OF_BLOCK SECCOMP_RET_TRACE
static_assert(PLAN_CALLS < SECCOMP_RET_DATA, "each call may have a block");
/* Where it goes to the end: to what is answered to a number that has no rule. */
#define ACTION_OF_DEFAULT (ACTION_OF_BLOCK | SECCOMP_RET_DATA)

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
	*actionp = ACTION_OF_BLOCK | (uint32_t)block;
	return error;
}

static int add_calls(scmp_filter_ctx context, const struct plan *plan, struct filter_blocks *blocks)
{
	int error = 0;

	for (int nr = 0; nr < PLAN_CALLS && !error; nr++) {
		struct plan_list list = {0};
		struct plan_answer default_answer;
		uint32_t action;

		error = plan_call_list(plan, nr, &list);
		if (!error) {
			error = decide_call(blocks, nr, &list, &action);
		}
		default_answer = plan_default(plan, nr);
		if (!error && action != filter_action(&default_answer)) {
			error = seccomp_rule_add_exact(context, action, nr, 0);
		}
		plan_list_finish(&list);
	}
	return error;
}

static int set_attributes(scmp_filter_ctx context)
{
	static const struct {
		enum scmp_filter_attr attribute;
		uint32_t value;
	} attributes[] = {
		{SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)},
		{SCMP_FLTATR_CTL_NNP, 0},      /* the launcher's business, as is loading */
		{SCMP_FLTATR_CTL_OPTIMIZE, 2}, /* a tree over the numbers, not a line */
	};

	for (size_t i = 0; i < array_length(attributes); i++) {
		int error = seccomp_attr_set(context, attributes[i].attribute, attributes[i].value);

		if (error) {
			return error;
		}
	}
	return 0;
}

/* Returns that stand for blocks become jumps to them: all of them lie behind, the end last. */
static void join(struct filter *filter, size_t dispatch_count, const struct filter_blocks *blocks,
	size_t end)
{
	for (size_t i = 0; i < dispatch_count; i++) {
		struct sock_filter *instruction = &filter->instructions[i];
		size_t target = end;

		if (instruction->code != (BPF_RET | BPF_K) ||
			(instruction->k & SECCOMP_RET_ACTION_FULL) != ACTION_OF_BLOCK) {
			continue;
		}
		if (instruction->k != ACTION_OF_DEFAULT) {
			target = dispatch_count + blocks->starts[instruction->k & SECCOMP_RET_DATA];
		}
		*instruction =
			(struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(target - i - 1));
	}
}

/* The dispatch, which lies in `fd`, then the blocks, then the end. */
static int make_program(struct filter *filter, int fd, const struct filter_blocks *blocks,
	const struct filter_end *end)
{
	cleanup_free struct sock_filter *instructions = NULL;
	struct stat status;
	size_t size, dispatch_count, count;

	if (fstat(fd, &status)) {
		return -errno;
	}
	size = (size_t)status.st_size;
	dispatch_count = size / sizeof(*instructions);
	count = dispatch_count + blocks->count + end->count;
	if (count > BPF_MAXINSNS) {
		return -E2BIG;
	}
	instructions = calloc(count, sizeof(*instructions));
	if (!instructions) {
		return -ENOMEM;
	}
	if (pread(fd, instructions, size, 0) != (ssize_t)size) {
		return -EIO;
	}
	if (blocks->count) {
		memcpy(instructions + dispatch_count, blocks->instructions,
			blocks->count * sizeof(*instructions));
	}
	memcpy(instructions + count - end->count, end->instructions,
		end->count * sizeof(*instructions));
	filter->instructions = steal_pointer(&instructions);
	filter->count = count;
	join(filter, dispatch_count, blocks, count - end->count);
	return 0;
}

static int export_program(struct filter *filter, scmp_filter_ctx context,
	const struct filter_blocks *blocks, const struct filter_end *end)
{
	cleanup_fd int fd = memfd_create("usher-filter", MFD_CLOEXEC);
	int error;

	if (fd < 0) {
		return -errno;
	}
	error = seccomp_export_bpf(context, fd);
	return error ? error : make_program(filter, fd, blocks, end);
}

static int compile_plan(struct filter *filter, const struct plan *plan)
{
	scmp_filter_ctx context = seccomp_init(ACTION_OF_DEFAULT);
	struct filter_blocks blocks = {0};
	struct filter_end end;
	int error = context ? set_attributes(context) : -ENOMEM;

	if (!error) {
		error = add_calls(context, plan, &blocks);
	}
	if (!error) {
		filter_end_make(&end, plan);
		error = export_program(filter, context, &blocks, &end);
	}
	filter_blocks_finish(&blocks);
	seccomp_release(context);
	return error;
}

int filter_compile(
	struct filter *filter, const struct policy *policy, const struct filter_options *options)
{
	struct plan *plan = NULL;
	int error;

	*filter = (struct filter){0};
	/* The program is for its target's kernel: what this one can do is not asked. */
	seccomp_api_set(6);
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
