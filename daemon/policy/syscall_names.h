/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of system calls, by libseccomp, and of those that are younger than it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* No call's number: what libseccomp returns for a name that it does not know. */
#define SYSCALL_UNKNOWN (-1)

/* Calls that a filter can be about have numbers below this. */
#define SYSCALL_NUMBERS 1024

/*
 * The number on this machine; one below SYSCALL_UNKNOWN for a call that only other architectures
 * have; or SYSCALL_UNKNOWN.
 */
int syscall_number(const char *name);

/* Writes the name; false if the number has none. */
bool syscall_name(int nr, char *name, size_t size);
#define SYSCALL_NAME_MAX 64
