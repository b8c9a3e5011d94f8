/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is allowed of the operations that are Landlock's (mechanism.h), for the client, which lays
 * it on: one string for each file or whole directory (see FILTER in include/usher/wire.h). They are
 * in no order, since there are no denials among them; the rules of reading.h, which come last, are.
 */
#pragma once

#include "daemon/base/string_pack.h"

struct mechanisms;
struct policy;

/*
 * Of `operations`, all of which are Landlock's by `mechanisms`, those of this policy. 0 or a
 * negative errno, with nothing made: -E2BIG if they would not fit into a packet.
 */
int grants_make(struct string_pack *grants, const struct policy *policy,
	const struct mechanisms *mechanisms, unsigned int operations);
