/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where sockets are exchanged (daemon/broker/outside.h) the second one is given the options of the
 * first, which have to be read for that, one call each. Most of them nearly no program ever sets.
 * So where these are set the broker is told: until then it need not read them. To be told costs
 * some twenty times as much as to read one. So what programs do set on most connections is not told
 * (keep-alive and its times, as Go and curl do), and least of all what is set again and again on
 * one (TCP_NODELAY, TCP_CORK, TCP_QUICKACK): these are the usual options. Of all others of the
 * levels that internet sockets have it is told, also of those that this build does not know.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct socket_option {
	int level, name;
	int other; /* another name for the same; 0: none */
};

/* Of these nobody is told. */
const struct socket_option *usual_options(size_t *count);

/* The levels of the others. */
const int *told_levels(size_t *count);

/* Those that are told each by itself. */
const struct socket_option *told_options(size_t *count);

/*
 * The bit by which it is noted that somebody has set it (session.h): one of its own, or
 * TOLD_OTHERS. 0: it is not told.
 */
#define TOLD_OTHERS (UINT64_C(1) << 63)
uint64_t told_option_bit(int level, int name);
