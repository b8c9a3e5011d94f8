/* SPDX-License-Identifier: Apache-2.0 */
/* See filter_end.h. */
#include "daemon/policy/filter_end.h"

#include <linux/seccomp.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter_block.h"
#include "daemon/policy/filter_plan.h"

static bool differ(const struct plan_answer *one, const struct plan_answer *other)
{
	return one->answer != other->answer || one->error != other->error;
}

static void append(struct filter_end *end, struct sock_filter instruction)
{
	end->instructions[end->count++] = instruction;
}

/*
 * Numbers below `above` that are not decided yet get `answer`. Ranges come in rising order. Should
 * there ever be too many, the rest shares the last one's answer, which is the refusal.
 */
static void append_range(struct filter_end *end, int above, const struct plan_answer *answer)
{
	if (end->count + 3 <= FILTER_END_INSTRUCTIONS) {
		append(end, (struct sock_filter)BPF_JUMP(
				    BPF_JMP | BPF_JGE | BPF_K, (uint32_t)above, 1, 0));
		append(end, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, filter_action(answer)));
	}
}

void filter_end_make(struct filter_end *end, const struct plan *plan)
{
	struct plan_answer answer = plan_default(plan, 0);

	end->count = 0;
	append(end, (struct sock_filter)BPF_STMT(
			    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
	for (int nr = 1; nr <= PLAN_CALLS; nr++) {
		struct plan_answer next = plan_default(plan, nr);

		if (differ(&answer, &next)) {
			append_range(end, nr, &answer);
		}
		answer = next;
	}
	append(end, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, filter_action(&answer)));
}
