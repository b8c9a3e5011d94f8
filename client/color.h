/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what a command says is coloured: the same answer for all of them. */
#pragma once

#include <stdbool.h>

/* For a descriptor that is a terminal; not if NO_COLOR is set to anything. */
bool color_is_wanted(int fd);
