/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where sockets are exchanged (daemon/broker/outside.h) the second one is given the options of the
 * first, which have to be read for that, one call each. Most of them nearly no program ever sets.
 * So where these are set the broker is told: until then it need not read them. What programs do set
 * is not told, since that would cost them more than the reading, and least of all what is set again
 * and again on a connection (TCP_NODELAY, TCP_CORK).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct socket_option {
	int level, name;
};

const struct socket_option *told_options(size_t *count);

bool option_is_told(int level, int name);
