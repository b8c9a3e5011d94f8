/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The empty network namespace that a session may live in: nothing is in it but its own loopback.
 * Who may make one does so as he is; everybody else by way of a user namespace in which he has his
 * own ids and, afterwards, the rights that he had before and no more.
 */
#pragma once

#include <stdbool.h>

/*
 * Puts the calling process, which must have one thread only, into a new network namespace with its
 * loopback up; and if connections are to lead out of it, with what families.h tells. 0 or a
 * negative errno; on an error the process may be in namespaces that are half made, and is good for
 * nothing but to end.
 */
int network_enter(bool leads_out);
