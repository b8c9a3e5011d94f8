/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a descriptor is that came from outside. Nothing is read from it or written to it to find
 * out: that could block, or do something.
 */
#pragma once

#include <stdbool.h>

/* True for the listener of a seccomp filter, whoever's it is. */
bool descriptor_is_listener(int fd);

bool descriptor_is_socket(int fd);

/* True if it is open for writing. */
bool descriptor_is_writable(int fd);
