/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "daemon/policy/lint_warn.h"

/* Warns of rules that name hosts and mean less, or let through more, than they seem to. */
void lint_names(struct lint *lint);
