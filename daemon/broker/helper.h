/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process for a moment, for what a thread may do to itself but not undo: enter a namespace, take
 * on credentials in it. It shares memory and descriptors with the broker, and nothing else: where
 * it ends, what it had become is gone.
 */
#pragma once

/*
 * Runs `function` in a helper and waits for its end, as vfork(2) does. It has the thread-local data
 * of the caller (errno among it), and every signal blocked, or a handler of ours would run in it;
 * it must not create threads. 0, or a negative errno: then `function` was not called.
 */
int helper_run(void (*function)(void *), void *argument);
