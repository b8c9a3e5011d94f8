/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session of root gives up where /proc is left to the kernel: the capabilities by which the
 * kernel would show there what rules deny by name: the memory of the machine, its addresses and
 * messages, and of processes outside of the session what only who may trace them should see.
 */
#pragma once

/* Of the calling thread and all that comes of it. 0 or a negative errno. */
int process_rights_give_up(void);
