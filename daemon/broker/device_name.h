/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device is usually called, by its number: sysfs knows its name in /dev. Whether there is
 * one of that name, and it is this device, is for the caller to see.
 */
#pragma once

#include <stddef.h>
#include <sys/stat.h>

/* "/dev/null" of `device`, a character or block device. 0 or a negative errno. */
int device_name(const struct stat *device, char *name, size_t capacity);
