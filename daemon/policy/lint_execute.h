/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "daemon/policy/lint_warn.h"

/* Warns of rules about execute that do less or more than they seem to. */
void lint_execute(struct lint *lint);
