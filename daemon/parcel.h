/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parcel: a text and some descriptors in one descriptor, which holds them alive wherever it is
 * kept. It is a unix socket with one packet in its queue that nobody takes out: opening a parcel
 * copies. So what belongs together is kept or lost together, a session counts as little in a store
 * of descriptors, and a store that drops a descriptor that it seems to have already (systemd does,
 * and two sessions may well log to one terminal) sees a parcel alone.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define PARCEL_TEXT_MAX (32u * 1024u)

/* Returns the parcel or a negative errno; `fds` stay the caller's. */
int parcel_make(const char *text, const int *fds, size_t fd_count);

/*
 * Opens one: `text` has room for PARCEL_TEXT_MAX, with the NUL that is put behind; `fds` for
 * FDPASS_MAX, and what is put there is the caller's. 0 or a negative errno: -EBADMSG if it is none.
 */
int parcel_open(int parcel, char *text, int *fds, size_t *fd_count);
