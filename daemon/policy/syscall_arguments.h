/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel takes a call's arguments for. A filter sees a register's 64 bits; of an int the
 * kernel looks at the lower half only, and what the upper half holds is the caller's choice. A
 * comparison that looks at it can be walked around: ioctl(fd, TIOCSTI | 1 << 32) is TIOCSTI to the
 * kernel. What a pointer points to, a filter does not see at all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SYSCALL_ARGUMENTS 6u

/* The bits of the argument that the kernel looks at; all where the call is not known. */
uint64_t syscall_width(int nr, unsigned int argument);

bool syscall_argument_is_pointer(int nr, unsigned int argument);

/* How many arguments the call takes; SYSCALL_ARGUMENTS where it is not known. */
unsigned int syscall_argument_count(int nr);
