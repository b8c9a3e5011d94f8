/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of an argument the kernel looks at. A filter sees 64 bits of a register of which an int
 * is only the lower half; what the upper half holds is the caller's choice. A comparison that looks
 * at it can be walked around: ioctl(fd, TIOCSTI | 1 << 32) is TIOCSTI to the kernel.
 */
#pragma once

#include <stdint.h>

/* The bits of the argument that count: all 64, or the lower 32. */
uint64_t syscall_width(int nr, unsigned int argument);
