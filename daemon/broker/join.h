/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serving with capabilities that a thread has in a user namespace of its own: over files whose
 * owners are mapped there, and over what was mounted there. The kernel looks for them in the
 * credentials of whoever makes the call, and only who is a single thread can join a user namespace.
 * So a helper (helper.h) does, which ends with the call. It has exactly the caller's capabilities
 * there, and none elsewhere.
 *
 * That costs some tens of microseconds, and most calls need none of it. They are made without, and
 * again in a helper if they were refused.
 */
#pragma once

#include <stdbool.h>

#include "daemon/broker/act.h"

struct broker;
struct request;
struct worker;

typedef enum act_outcome join_function(
	const struct broker *broker, struct worker *worker, struct request *request);

/* Must it be made there in the first place? */
bool join_is_needed(const struct request *request);

/* Was it refused to who has no capabilities, and has the caller some of its own? */
bool join_may_help(const struct request *request, enum act_outcome outcome);

/* Calls `function` there. If that cannot be done, the outcome is `otherwise`. */
enum act_outcome join(const struct broker *broker, struct worker *worker, struct request *request,
	join_function *function, enum act_outcome otherwise);
