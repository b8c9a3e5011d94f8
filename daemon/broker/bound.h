/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sockets were bound by us, and so as the policy lets them be. To listen on one that has a
 * port is to be asked about no more; but a port may as well be the kernel's choice for a connection
 * that is being made, and be given back in the next moment: then listen(2) would have another one
 * chosen, about which nobody was asked. The kernel does not tell the two apart.
 *
 * As many are remembered as servers hardly have. Of others it is asked once more.
 */
#pragma once

#include <stdbool.h>

void bound_note(int socket);
bool bound_has(int socket);
