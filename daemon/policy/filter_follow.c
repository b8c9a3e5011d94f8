/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two plans are compared call by call. What arguments there are is not tried out: each
 * comparison is taken for a question with two answers, and both are followed, so that every call
 * there can be lies on one of the ways. A way that no argument takes may be among them, which can
 * only refuse what would have been possible; the commonest, one argument that equals two numbers,
 * is left out.
 */
#include "daemon/policy/filter_follow.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/policy/filter_plan.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/syscall_names.h"

#define ANSWERS_MAX 48u     /* questions on one way */
#define STEPS_MAX   200000u /* then it is too much to look at, and taken to differ */

struct assumption {
	const struct comparison *comparison;
	bool holds;
};

/* One way through both lists. */
struct way {
	const struct plan_list *running, *wanted;
	struct assumption assumptions[ANSWERS_MAX];
	size_t count;
	unsigned int steps;
	bool is_too_long;              /* nobody knows whether they suit */
	struct plan_answer has, wants; /* where they differ */
};

static bool is_same_comparison(const struct comparison *a, const struct comparison *b)
{
	return a->argument == b->argument && a->operator== b->operator&& a->value == b->value &&
					     a->mask == b->mask;
}

static bool is_equality(const struct comparison *comparison)
{
	return comparison->operator== COMPARE_EQ || comparison->operator== COMPARE_MASKED_EQ;
}

enum truth { NO, YES, OPEN };

static enum truth look_up(const struct way *way, const struct comparison *comparison)
{
	for (size_t i = 0; i < way->count; i++) {
		const struct comparison *known = way->assumptions[i].comparison;
		if (is_same_comparison(known, comparison)) {
			return way->assumptions[i].holds ? YES : NO;
		}
		/* It equals something else already. */
		if (way->assumptions[i].holds && is_equality(known) &&
			comparison->operator== known->operator&& comparison->mask ==
			known->mask && comparison->argument == known->argument) {
			return NO;
		}
	}
	return OPEN;
}

/* The first clause that matches on this way; or, with NULL, the question that decides. */
static const struct plan_clause *first_match(
	const struct way *way, const struct plan_list *list, const struct comparison **questionp)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct plan_clause *clause = &list->clauses[i];
		const struct comparison *open = NULL;
		bool fails = false;

		for (size_t k = 0; k < clause->count && !fails; k++) {
			enum truth truth = look_up(way, &clause->comparisons[k]);
			fails = truth == NO;
			open = truth == OPEN && !open ? &clause->comparisons[k] : open;
		}
		if (fails) {
			continue;
		}
		*questionp = open;
		return open ? NULL : clause;
	}
	*questionp = NULL;
	return NULL;
}

static bool answers_suit(const struct plan_answer *has, const struct plan_answer *wants)
{
	if (has->answer == FILTER_NOTIFY && wants->answer == FILTER_ALLOW) {
		return true;
	}
	return has->answer == wants->answer &&
	       (has->answer != FILTER_ERRNO || has->error == wants->error);
}

/* True if all ways from here on suit. */
static bool suits(struct way *way)
{
	const struct comparison *question = NULL;
	const struct plan_clause *has = first_match(way, way->running, &question);
	const struct plan_clause *wants =
		question ? NULL : first_match(way, way->wanted, &question);

	if (++way->steps > STEPS_MAX || way->count == ANSWERS_MAX) {
		way->is_too_long = true;
		return false;
	}
	if (!question) {
		way->has = has->answer; /* a list ends with what always matches */
		way->wants = wants->answer;
		return answers_suit(&way->has, &way->wants);
	}
	bool all = true;
	for (int holds = 0; holds < 2 && all; holds++) {
		way->assumptions[way->count++] =
			(struct assumption){.comparison = question, .holds = holds};
		all = suits(way);
		way->count--;
	}
	return all;
}

static const char *describe(const struct plan_answer *answer)
{
	static const char *const words[] = {[FILTER_ALLOW] = "lets pass",
		[FILTER_NOTIFY] = "asks about",
		[FILTER_ERRNO] = "refuses",
		[FILTER_KILL] = "kills for"};

	return words[answer->answer];
}

static int tell(
	char *reason, int nr, const struct plan_answer *has, const struct plan_answer *wants)
{
	char name[SYSCALL_NAME_MAX];

	if (!syscall_name(nr, name, sizeof(name))) {
		(void)snprintf(name, sizeof(name), "call %d", nr);
	}
	(void)snprintf(reason, FILTER_FOLLOW_REASON_MAX,
		"its filter %s %s and cannot be changed; the new policy %s it", describe(has), name,
		describe(wants));
	return FILTER_DIFFERS;
}

static int tell_too_long(char *reason, int nr)
{
	char name[SYSCALL_NAME_MAX] = "?";

	(void)syscall_name(nr, name, sizeof(name));
	(void)snprintf(reason, FILTER_FOLLOW_REASON_MAX,
		"the rules about %s compare so much that its filter cannot be held against them",
		name);
	return FILTER_DIFFERS;
}

static bool is_same_clause(const struct plan_clause *a, const struct plan_clause *b)
{
	bool same = a->count == b->count && a->answer.answer == b->answer.answer &&
		    a->answer.error == b->answer.error;

	for (size_t i = 0; i < a->count && same; i++) {
		same = is_same_comparison(&a->comparisons[i], &b->comparisons[i]);
	}
	return same;
}

/* Most are, and need no second look. */
static bool is_same_list(const struct plan_list *a, const struct plan_list *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; i < a->count && same; i++) {
		same = is_same_clause(&a->clauses[i], &b->clauses[i]);
	}
	return same;
}

static int compare_call(const struct plan *running, const struct plan *wanted, int nr, char *reason)
{
	struct plan_list has = {0}, wants = {0};
	struct way way = {.running = &has, .wanted = &wants};
	int result = plan_call_list(running, nr, &has);

	if (result == 0) {
		result = plan_call_list(wanted, nr, &wants);
	}
	if (result == 0 && !is_same_list(&has, &wants) && !suits(&way)) {
		result = way.is_too_long ? tell_too_long(reason, nr)
					 : tell(reason, nr, &way.has, &way.wants);
	}
	plan_list_finish(&has);
	plan_list_finish(&wants);
	return result;
}

static int compare(const struct plan *running, const struct plan *wanted, char *reason)
{
	const struct plan_answer has = plan_default(running, FILTER_CALLS);
	const struct plan_answer wants = plan_default(wanted, FILTER_CALLS);

	for (int nr = 0; nr < FILTER_CALLS; nr++) {
		int result = compare_call(running, wanted, nr, reason);
		if (result != 0) {
			return result;
		}
	}
	return answers_suit(&has, &wants) ? FILTER_FOLLOWS
					  : tell(reason, FILTER_CALLS, &has, &wants);
}

int filter_follow(const struct policy *running, const struct policy *wanted,
	const struct filter_options *options, char reason[FILTER_FOLLOW_REASON_MAX])
{
	struct plan *has = NULL, *wants = NULL;
	int result = plan_make(&has, running, options);

	if (result == 0) {
		result = plan_make(&wants, wanted, options);
	}
	if (result == 0) {
		result = compare(has, wants, reason);
	}
	plan_free(has);
	plan_free(wants);
	return result;
}
