/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `usher top` shows: made of two looks at the daemon's sessions, one after the other, and of
 * the denials that were told meanwhile. Knows nothing of terminals.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct json_object;

#define TOP_TEXT_MAX   256u
#define TOP_DELAYS_MAX 64u
#define TOP_DENIED_MAX 256u /* names that are counted at the same time */

enum top_order { TOP_BY_RATE, TOP_BY_DENIED, TOP_BY_DELAY, TOP_BY_AGE, TOP_BY_SESSION, TOP_ORDERS };

struct top_session {
	uint64_t id, pid, age, allowed, denied, answers;
	uint64_t delays[TOP_DELAYS_MAX]; /* as usher-control(7) has them */
	size_t delay_count;
	double rate; /* answers a second since the look before */
	uint64_t median,
		slowest; /* microseconds since then: below which half, and 99 of 100, lie */
	char policy[TOP_TEXT_MAX], user[TOP_TEXT_MAX], state[TOP_TEXT_MAX], command[TOP_TEXT_MAX];
};

struct top_denied {
	char name[TOP_TEXT_MAX], policy[TOP_TEXT_MAX];
	uint64_t count;
};

struct top_model {
	struct top_session *sessions;
	size_t count;
	uint64_t limit, age; /* of the daemon */
	double rate;         /* of all of them */
	struct top_denied denied[TOP_DENIED_MAX];
	size_t denied_count;
	uint64_t untold; /* decisions that were left out */
	enum top_order order;
};

/* A look: the answer to `status`, `seconds` after the one before. 0 or -ENOMEM. */
int top_model_look(struct top_model *model, struct json_object *status, double seconds);
/* An event of `monitor`. */
void top_model_event(struct top_model *model, struct json_object *event);
void top_model_sort(struct top_model *model);
void top_model_finish(struct top_model *model);

const char *top_order_name(enum top_order order);
