/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which calls a filter may notify at all.
 */
#pragma once

#include <stdbool.h>

/*
 * True if a clause may notify the call: `conditional` says that it looks at arguments, without
 * which calls that every program lives by (clone, prctl, ...) are not notified either.
 */
bool filter_clause_may_notify(int nr, bool conditional);
