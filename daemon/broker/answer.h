/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sixth stage: the target goes on. A descriptor is installed and noted in the slot before the
 * answer is sent, in two steps: what the kernel offers as one is not safe against the death of who
 * calls it.
 */
#pragma once

#include "daemon/broker/act.h"

struct broker;
struct request;

/* Consumes a descriptor in request->result, which becomes the target's number, or an errno. */
void answer(const struct broker *broker, struct request *request, enum act_outcome outcome);
