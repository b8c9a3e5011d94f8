/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether somebody who asks for a session gets one: whether usherd begins sessions at all now,
 * which policy may be used by whom, and how many sessions there may be.
 */
#pragma once

#include <stddef.h>

struct config;
struct context;
struct peer;

/*
 * 0 with a place taken in the tally of sessions, which is given back by tally_leave; or a negative
 * errno with the reason in `text` (`size` bytes), for the client and the log.
 */
int admission_enter(struct context *context, const struct config *config, const struct peer *peer,
	const char *policy, char *text, size_t size);
