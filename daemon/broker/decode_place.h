/* SPDX-License-Identifier: Apache-2.0 */
/* Where a name begins: pinned by the decoders, so that it cannot be moved under the walk. */
#pragma once

#include <stdbool.h>

struct broker;
struct place;
struct request;

/* Nothing pinned, nothing resolved. */
void decode_place_clear(struct place *place);

/*
 * Pins the thread's root where it can be another than ours, and the start of a relative name: its
 * working directory, or what `dirfd` refers to. 0 or a negative errno: -EBADF.
 */
int decode_place(const struct broker *broker, const struct request *request, struct place *place,
	bool absolute, int dirfd);

/* Closes what was pinned. */
void decode_place_release(struct place *place);
