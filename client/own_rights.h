/* SPDX-License-Identifier: Apache-2.0 */
/* What the caller of usher may do, as far as its filter depends on that. */
#pragma once

#include <stdbool.h>

/*
 * Can a program that is started now change its ids or capabilities, so that these have to be looked
 * at? It can if it is root, has capabilities to give up, or ids to choose from. What usherd asks of
 * its clients (daemon/peer.h).
 */
bool own_ids_can_vary(void);
