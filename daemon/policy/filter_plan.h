/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel shall do with each call: for every number a list of clauses of which the first
 * that matches decides, and one answer for all that no list decides. The plan is what is meant;
 * filter.c turns it into a program, and the tests hold that program against the plan.
 *
 * A call is asked about by three parties, in this order: `always` (the probe, which no policy can
 * switch off), `rules` ([syscalls]: its denials are final, its allowances are not), `mediation`
 * (what the other sections need to see, or refuse because it would go round them).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/policy/filter.h"
#include "daemon/policy/filter_program.h"
#include "daemon/policy/rule.h"

struct plan_answer {
	enum filter_answer answer;
	int error; /* FILTER_ERRNO: may be 0, which is success without effect */
};

#define PLAN_COMPARISONS 9

struct plan_clause {
	struct comparison comparisons[PLAN_COMPARISONS]; /* all must hold */
	size_t count;
	struct plan_answer answer;
};

struct plan_list {
	struct plan_clause *clauses;
	size_t count, capacity;
};

struct plan_call {
	struct plan_list always, rules, mediation;
};

struct plan {
	struct plan_call calls[FILTER_CALLS];
	struct plan_answer fallback; /* where no rule of [syscalls] matches */
	bool refuses_unknown;        /* calls that are not accounted for do not exist: ENOSYS */
};

int plan_make(
	struct plan **planp, const struct policy *policy, const struct filter_options *options);
void plan_free(struct plan *plan);

/*
 * The three parties' clauses for a call as one list, ended by one that always matches.
 * 0 or a negative errno: -E2BIG if a clause would have too many comparisons.
 */
int plan_call_list(const struct plan *plan, int nr, struct plan_list *list);

/* Has anybody something to say about the call? If not, plan_default() is what becomes of it. */
bool plan_has_clauses(const struct plan *plan, int nr);

/* The answer to a number that nobody has anything to say about, below FILTER_CALLS or above. */
struct plan_answer plan_default(const struct plan *plan, int nr);

void plan_list_finish(struct plan_list *list);

/* filter_mediation.c: fills `always` and `mediation` of all calls. */
int plan_mediate(
	struct plan *plan, const struct policy *policy, const struct filter_options *options);

/*
 * Adds a clause to a list of the call; numbers that this machine does not have are nobody's and
 * are passed over.
 */
int plan_call_add(struct plan *plan, int nr, size_t list_offset, const struct plan_clause *clause);
