/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to the request `status`: the daemon and those of its sessions that the asking user may
 * see.
 */
#pragma once

#include <sys/types.h>

#define CONTROL_VERSION 1

struct context;
struct json_object;

struct json_object *control_status(const struct context *context, uid_t uid);
