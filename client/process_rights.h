/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities that a session of root gives up, since they would lead around what its policy says.
 */
#pragma once

#include <stdint.h>

/*
 * Where /proc is left to the kernel: those by which it would show there what rules deny by name:
 * the memory of the machine, its addresses and messages, and of processes outside of the session
 * what only who may trace them should see.
 */
uint64_t process_rights_of_sight(void);

/*
 * In a network of its own: that by which a device of another network could be had inside. One end
 * of a veth lies wherever its maker says.
 */
uint64_t process_rights_of_network(void);

/* By the bits of these, of the calling thread and all that comes of it. 0 or a negative errno. */
int process_rights_give_up(uint64_t capabilities);
