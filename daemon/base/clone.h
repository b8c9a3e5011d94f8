/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone(2) for a child that shares our memory, while we wait (CLONE_VM, CLONE_VFORK).
 *
 * The thread sanitizer takes every clone for a fork: what it notes in the child, that from here on
 * nothing is looked at and no signal delivered, it would note in memory which is ours. So it must
 * not see this one, and neither it nor the address sanitizer what runs on that stack and may never
 * return.
 */
#pragma once

#include <sched.h>

#ifdef __SANITIZE_THREAD__
/* The C library's own name. */
int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);
#define clone_sharing __clone
#else
#define clone_sharing clone
#endif

#define ON_OTHER_STACK __attribute__((no_sanitize("address", "thread")))
