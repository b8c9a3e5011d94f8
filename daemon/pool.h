/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads on which usherd does what takes longer than its loop may wait: reading policies and
 * configuration. They are libuv's, which makes all of them at the first piece of work, and ends the
 * process where the machine has no room for them. So that is found out first, and who wants work
 * done is refused as long as there is none. (Others may take the room in between: then usherd
 * dies, and the next one takes over.)
 */
#pragma once

#include <uv.h>

/* As uv_queue_work(); -EAGAIN where there is no room for threads. */
int pool_queue(uv_loop_t *loop, uv_work_t *request, uv_work_cb work, uv_after_work_cb after);
