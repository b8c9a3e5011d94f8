/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that a broker makes: all others are refused with EPERM by a seccomp filter of
 * its own, and told to its supervisor, once each. What a new piece of the broker needs is a line in
 * the table there, under the purpose that it is for; who forgets it hears of it in the first test.
 */
#pragma once

/* Loads the filter, for the calling thread and those that it will start. 0 or a negative errno. */
int confine_calls(void);
