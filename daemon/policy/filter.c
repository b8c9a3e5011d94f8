/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan made into a program by libseccomp. libseccomp wants rules whose order does not matter
 * and that compare an argument once: each call's list is cut into disjoint boxes, each of which
 * is a rule or a few. What gets the default answer is left out, as is a call that always gets it:
 * it is then decided by number and architecture alone, which is what the kernel keeps a bitmap of.
 *
 * The program is made for this machine's own calling convention; all others (i386, x32) get ENOSYS,
 * as on a kernel that was built without them.
 */
#include "daemon/policy/filter.h"

#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter_box.h"
#include "daemon/policy/filter_calls.h"
#include "daemon/policy/filter_plan.h"

static uint32_t action_of(const struct plan_answer *answer)
{
	switch (answer->answer) {
	case FILTER_ALLOW:
		return SCMP_ACT_ALLOW;
	case FILTER_NOTIFY:
		return SCMP_ACT_NOTIFY;
	case FILTER_ERRNO:
		return SCMP_ACT_ERRNO((unsigned int)answer->error);
	case FILTER_KILL:
		break;
	}
	return SCMP_ACT_KILL_PROCESS;
}

/* A rule is two instructions or more: a filter of more would be too long, and slow to make. */
#define RULES_MAX 2000

/* A filter in the making. The comparisons are those of the rule under way. */
struct maker {
	scmp_filter_ctx context;
	uint32_t fallback; /* the action that needs no rule */
	size_t rule_count;
	int nr;
	const uint64_t *widths;
	bool may_order; /* the call has one rule only */
	struct scmp_arg_cmp comparisons[SYSCALL_ARGUMENTS];
	unsigned int count;
};

/*
 * The values as the one comparison that libseccomp allows an argument; false if there is none. An
 * ordering looks at all 64 bits, so it is none for an argument of which fewer count. And it stands
 * only where the call has no other rule: libseccomp 2.5.4 mistakes some disjoint orderings for
 * another, and does not come back from others that begin alike.
 */
static bool compare(struct scmp_arg_cmp *comparison, unsigned int argument,
	const struct values *values, uint64_t width, bool may_order)
{
	bool is_whole = may_order && width == UINT64_MAX;

	if (values->shape == VALUES_BITS) {
		*comparison = SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, values->mask, values->value);
	} else if (values->first == values->last) {
		*comparison = SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, width, values->first);
	} else if (is_whole && values->first == 0) {
		*comparison = SCMP_CMP64(argument, SCMP_CMP_LE, values->last);
	} else if (is_whole && values->last == width) {
		*comparison = SCMP_CMP64(argument, SCMP_CMP_GE, values->first);
	} else {
		return false;
	}
	return true;
}

static int add_rule(struct maker *maker, uint32_t action)
{
	if (maker->rule_count == RULES_MAX) {
		return -E2BIG;
	}
	maker->rule_count++;
	return seccomp_rule_add_exact_array(
		maker->context, action, maker->nr, maker->count, maker->comparisons);
}

static int add_rules(
	struct maker *maker, uint32_t action, const struct box *box, unsigned int argument);

/* Rules for each run of a range that is no single comparison. */
static int add_rules_by_run(
	struct maker *maker, uint32_t action, const struct box *box, unsigned int argument)
{
	struct values_list runs = {0};
	int error = values_cut_range(&runs, &box->arguments[argument], maker->widths[argument]);

	for (size_t i = 0; i < runs.count && !error; i++) {
		maker->comparisons[maker->count++] = SCMP_CMP64(
			argument, SCMP_CMP_MASKED_EQ, runs.items[i].mask, runs.items[i].value);
		error = add_rules(maker, action, box, argument + 1);
		maker->count--;
	}
	values_list_finish(&runs);
	return error;
}

/* Adds the rules of a box, with what is already compared, from this argument on. */
static int add_rules(
	struct maker *maker, uint32_t action, const struct box *box, unsigned int argument)
{
	int error;

	while (argument < SYSCALL_ARGUMENTS &&
		values_are_all(&box->arguments[argument], maker->widths[argument])) {
		argument++;
	}
	if (argument == SYSCALL_ARGUMENTS) {
		return add_rule(maker, action);
	}
	if (!compare(&maker->comparisons[maker->count], argument, &box->arguments[argument],
		    maker->widths[argument], maker->may_order)) {
		return add_rules_by_run(maker, action, box, argument);
	}
	maker->count++;
	error = add_rules(maker, action, box, argument + 1);
	maker->count--;
	return error;
}

static int match(struct box_set *matched, int nr, const struct plan_clause *clause)
{
	int error = box_set_init_all(matched, nr);

	for (size_t i = 0; i < clause->count && !error; i++) {
		error = box_set_restrict(matched, &clause->comparisons[i]);
	}
	return error;
}

/* What of `rest` a clause matches goes to `taken`. */
static int take_clause(
	struct box_set *taken, struct box_set *rest, int nr, const struct plan_clause *clause)
{
	struct box_set matched;
	int error;

	if (clause->answer.answer == FILTER_NOTIFY &&
		!filter_clause_may_notify(nr, clause->count > 0)) {
		return -EINVAL;
	}
	error = match(&matched, nr, clause);
	for (size_t i = 0; i < matched.count && !error; i++) {
		error = box_set_take(rest, &matched.boxes[i], taken);
	}
	box_set_finish(&matched);
	return error;
}

/* Adds rules for what the clauses have taken, except where it gets the fallback's answer anyway. */
static int add_taken(struct maker *maker, const struct plan_list *list, const struct box_set *taken)
{
	size_t total = 0;
	int error = 0;

	for (size_t i = 0; i < list->count; i++) {
		total +=
			action_of(&list->clauses[i].answer) != maker->fallback ? taken[i].count : 0;
	}
	maker->may_order = total == 1;
	for (size_t i = 0; i < list->count; i++) {
		uint32_t action = action_of(&list->clauses[i].answer);

		maker->widths = taken[i].widths;
		for (size_t k = 0; k < taken[i].count && !error && action != maker->fallback; k++) {
			error = add_rules(maker, action, &taken[i].boxes[k], 0);
		}
	}
	return error;
}

static int add_list(struct maker *maker, const struct plan_list *list)
{
	struct box_set *taken = calloc(list->count, sizeof(*taken));
	struct box_set rest;
	int error = taken ? box_set_init_all(&rest, maker->nr) : -ENOMEM;

	if (!taken) {
		return error;
	}
	for (size_t i = 0; i < list->count && !error; i++) {
		box_set_init(&taken[i], maker->nr);
		error = take_clause(&taken[i], &rest, maker->nr, &list->clauses[i]);
	}
	if (!error) {
		error = add_taken(maker, list, taken);
	}
	for (size_t i = 0; i < list->count; i++) {
		box_set_finish(&taken[i]);
	}
	box_set_finish(&rest);
	free(taken);
	return error;
}

static int add_calls(scmp_filter_ctx context, const struct plan *plan)
{
	struct maker maker = {.context = context, .fallback = action_of(&plan->fallback)};
	int error = 0;

	for (maker.nr = 0; maker.nr < PLAN_CALLS && !error; maker.nr++) {
		struct plan_list list = {0};

		error = plan_call_list(plan, maker.nr, &list);
		if (!error) {
			error = add_list(&maker, &list);
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

static int read_program(struct filter *filter, int fd)
{
	cleanup_free struct sock_filter *instructions = NULL;
	struct stat status;
	size_t size;

	if (fstat(fd, &status)) {
		return -errno;
	}
	size = (size_t)status.st_size;
	if (size / sizeof(*instructions) > BPF_MAXINSNS) {
		return -E2BIG;
	}
	instructions = malloc(size);
	if (!instructions) {
		return -ENOMEM;
	}
	if (pread(fd, instructions, size, 0) != (ssize_t)size) {
		return -EIO;
	}
	filter->instructions = steal_pointer(&instructions);
	filter->count = size / sizeof(*instructions);
	return 0;
}

static int export_program(struct filter *filter, scmp_filter_ctx context)
{
	cleanup_fd int fd = memfd_create("usher-filter", MFD_CLOEXEC);
	int error;

	if (fd < 0) {
		return -errno;
	}
	error = seccomp_export_bpf(context, fd);
	return error ? error : read_program(filter, fd);
}

int filter_compile(
	struct filter *filter, const struct policy *policy, const struct filter_options *options)
{
	struct plan *plan = NULL;
	scmp_filter_ctx context = NULL;
	int error;

	*filter = (struct filter){0};
	/* The program is for its target's kernel: what this one can do is not asked. */
	seccomp_api_set(6);
	error = plan_make(&plan, policy, options);
	if (error) {
		return error;
	}
	context = seccomp_init(action_of(&plan->fallback));
	error = context ? set_attributes(context) : -ENOMEM;
	if (!error) {
		error = add_calls(context, plan);
	}
	if (!error) {
		error = export_program(filter, context);
	}
	seccomp_release(context);
	plan_free(plan);
	return error;
}

void filter_finish(struct filter *filter)
{
	free(filter->instructions);
	*filter = (struct filter){0};
}
