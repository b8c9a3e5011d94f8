/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C names of numbers that system calls take.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nearest;

/* The value as a program would pass it, negative ones sign-extended; false if there is none. */
bool syscall_constant(const char *name, size_t length, uint64_t *valuep);

void syscall_constants_offer(struct nearest *nearest);
