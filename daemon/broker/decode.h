/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Second stage: from registers to a request. Copies whatever the arguments point to, once, and pins
 * the directories and sockets they refer to; nobody looks at the target's memory after this.
 */
#pragma once

struct broker;
struct request;

/* 0, or the negative errno with which the kernel would have refused the arguments. */
int decode(const struct broker *broker, struct request *request);

/* Closes what decode has pinned. */
void decode_release(struct request *request);
