/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct broker;
struct request;

/*
 * Acts on the object of `fd`, an O_PATH descriptor that stays the caller's. The call's result, not
 * negative, or a negative errno. What the call fills in stands in request->path.data,
 * request->path.data_size long.
 */
int act_on_object(const struct broker *broker, struct request *request, int fd);
