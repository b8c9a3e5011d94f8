/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where sockets are exchanged (daemon/broker/outside.h) the second one is given the options of the
 * first, which have to be read for that, one call each. Most of them nearly no program ever sets.
 * So where these are set the broker is told, of each by itself: until then it need not read it. To
 * be told costs some twenty times as much as to read one. So what programs do set on most
 * connections is not told (keep-alive and its times, as Go and curl do), and least of all what is
 * set again and again on one (TCP_NODELAY, TCP_CORK).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct socket_option {
	int level, name;
	int other; /* another name for the same; 0: none */
};

const struct socket_option *told_options(size_t *count);

/* Each has a bit, by which it is noted that somebody has set it (session.h). 0: it is not told. */
uint64_t told_option_bit(int level, int name);
