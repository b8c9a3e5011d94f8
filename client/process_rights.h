/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities that a session gives up (daemon/base/given_up.h). */
#pragma once

#include <stdint.h>

/* By the bits of these, of the calling thread and all that comes of it. 0 or a negative errno. */
int process_rights_give_up(uint64_t capabilities);
