/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reload means for one session: a question with all that is needed to answer it, for a
 * worker, which sees nothing of the session itself.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct config;

enum reload_outcome {
	RELOAD_KEPT,     /* its policy does not say `follow = yes` */
	RELOAD_SAME,     /* nothing has changed */
	RELOAD_REFUSED,  /* it cannot go on under what the policy says now */
	RELOAD_FOLLOWED, /* it has the new policy */
	RELOAD_OUTCOMES
};

struct reload_plan {
	uint64_t session;
	char *policy;          /* its name */
	int snapshot;          /* that it is served by, and ... */
	int filter_snapshot;   /* ... that its filter was made of: ours */
	bool ids_can_vary;     /* of its targets, as prepare.c has it */
	unsigned int landlock; /* operations on files that its filter leaves to it */
	enum reload_outcome outcome;
	char reason[256]; /* REFUSED */
	int new_snapshot; /* FOLLOWED */
	bool is_pending;  /* its broker has not said yet that it has it */
};

/* Answers. `config` is the new one. 0, or a negative errno when it could not be found out. */
int reload_plan_make(struct reload_plan *plan, const struct config *config);
void reload_plan_finish(struct reload_plan *plan);

const char *reload_outcome_name(enum reload_outcome outcome);
