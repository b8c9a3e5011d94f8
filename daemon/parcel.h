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

/*
 * What a client has passed to stay may be a file whose server answers no close. While such a one is
 * in our table each child has a copy of it when it is started, and its exec closes that, and waits.
 * So it stays in a parcel of its own, and is taken out for as long as it takes to pass it on.
 *
 * parcel_wrap() puts a parcel into the place of *fd, if there is one (-1: there is not): 0, or a
 * negative errno and *fd is as it was. parcel_unwrap() makes a copy of what is in it (-1 of -1):
 * the caller's, who lets go of it by discard_shared(). 0 or a negative errno. parcel_discard() ends
 * one, without waiting for anybody.
 */
int parcel_wrap(int *fd);
int parcel_unwrap(int parcel, int *fd);
void parcel_discard(int *parcel);
