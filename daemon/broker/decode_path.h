/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of the calls that take a path and do not open it (path_call.h). */
#pragma once

struct broker;
struct path_call;
struct request;

int decode_path(const struct broker *broker, struct request *request, const struct path_call *call);
