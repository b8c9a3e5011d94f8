/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a daemon's control socket is: beside its socket for hand-overs, /run/usher/usherd.sock
 * and /run/usher/usherd.control. The daemon makes it there and its clients look for it there.
 */
#pragma once

/* An allocated path, or NULL without memory. */
char *control_path(const char *socket_path);
