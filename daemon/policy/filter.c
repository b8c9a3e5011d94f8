/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan made into a program by libseccomp. libseccomp wants rules whose order does not matter
 * and that compare an argument once: each call's list is cut into disjoint cubes, and each cube is
 * one rule. What gets the default answer is left out, as is a call that always gets it: it is then
 * decided by number and architecture alone, which is what the kernel keeps a bitmap of.
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
#include "daemon/policy/filter_calls.h"
#include "daemon/policy/filter_cube.h"
#include "daemon/policy/filter_plan.h"
#include "daemon/policy/syscall_arguments.h"

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

static int add_cube(scmp_filter_ctx context, int nr, uint32_t action, const struct cube *cube)
{
	struct scmp_arg_cmp comparisons[CUBE_ARGUMENTS];
	unsigned int count = 0;

	for (unsigned int i = 0; i < CUBE_ARGUMENTS; i++) {
		if (cube->mask[i] == UINT64_MAX) {
			comparisons[count++] = SCMP_CMP64(i, SCMP_CMP_EQ, cube->value[i]);
		} else if (cube->mask[i]) {
			comparisons[count++] =
				SCMP_CMP64(i, SCMP_CMP_MASKED_EQ, cube->mask[i], cube->value[i]);
		}
	}
	return seccomp_rule_add_exact_array(context, action, nr, count, comparisons);
}

/* Takes from `rest` what the clause matches, and adds rules for it if they are needed. */
static int add_clause(scmp_filter_ctx context, int nr, uint32_t fallback,
	const struct plan_clause *clause, struct cube_set *rest)
{
	struct cube_set matched = {0};
	struct cube_set taken = {0};
	uint32_t action = action_of(&clause->answer);
	int error = cube_set_add(&matched, &(struct cube){0});

	for (size_t i = 0; i < clause->count && !error; i++) {
		error = cube_set_restrict(&matched, &clause->comparisons[i],
			syscall_width(nr, clause->comparisons[i].argument));
	}
	for (size_t i = 0; i < matched.count && !error; i++) {
		error = cube_set_take(rest, &matched.cubes[i], &taken);
	}
	for (size_t i = 0; i < taken.count && !error && action != fallback; i++) {
		error = add_cube(context, nr, action, &taken.cubes[i]);
	}
	cube_set_finish(&taken);
	cube_set_finish(&matched);
	return error;
}

static int add_list(
	scmp_filter_ctx context, int nr, uint32_t fallback, const struct plan_list *list)
{
	struct cube_set rest = {0};
	int error = cube_set_add(&rest, &(struct cube){0});

	for (size_t i = 0; i < list->count && !error; i++) {
		const struct plan_clause *clause = &list->clauses[i];

		if (clause->answer.answer == FILTER_NOTIFY &&
			!filter_clause_may_notify(nr, clause->count > 0)) {
			error = -EINVAL;
			break;
		}
		error = add_clause(context, nr, fallback, clause, &rest);
	}
	cube_set_finish(&rest);
	return error;
}

static int add_calls(scmp_filter_ctx context, const struct plan *plan)
{
	uint32_t fallback = action_of(&plan->fallback);
	int error = 0;

	for (int nr = 0; nr < PLAN_CALLS && !error; nr++) {
		struct plan_list list = {0};

		error = plan_call_list(plan, nr, &list);
		if (!error && list.count > 1) {
			error = add_list(context, nr, fallback, &list);
		} else if (!error && action_of(&list.clauses[0].answer) != fallback) {
			error = add_list(context, nr, fallback, &list);
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
