/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether what stands under the number of a thread's descriptor stays there as long as it waits.
 * The few calls that are continued with a descriptor that was looked at need that: the kernel looks
 * it up again, and another thread, or process, with the same table could have put another one
 * there.
 *
 * A table is shared by the threads of one process, which are counted, or by processes that were
 * made with CLONE_FILES and without CLONE_THREAD: that such a one was ever made is noted. execve(2)
 * ends all sharing, so nobody has come into the session with the table of somebody outside.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct broker;

/* False if that cannot be told. */
bool table_is_own(const struct broker *broker, pid_t tid);
