/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages, as the broker has to hand them to the kernel in the target's place: numbers of
 * descriptors become those of our copies, credentials are checked against the target and not
 * against us, and a route that would lead by other hosts is refused. Whatever is said of the
 * target's memory was said of our copy; it is cut up exactly as the kernel will do it, so that no
 * number goes through that was not looked at.
 */
#pragma once

#include <stdbool.h>

struct request;

/*
 * Makes request->message.control ready to be sent; descriptors that are taken for it are
 * message.rights. 0 or a negative errno: -EBADF, -EINVAL, -EPERM as the kernel has them.
 */
int control_translate(struct request *request);

/* Leaves of it what goes with each part of a stream: all but descriptors, which go with the first.
 */
void control_drop_rights(struct request *request);
