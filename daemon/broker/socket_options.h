/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of an internet socket that another is to take over (carried_options.h says which).
 * What a new socket has anyway is known beforehand and left alone; and what nobody has set is not
 * read, as far as that is told (daemon/policy/told_options.h).
 */
#pragma once

#include <stdint.h>

struct socket_defaults;

/* Looks at new sockets of each kind. 0 or a negative errno. */
int socket_defaults_new(struct socket_defaults **defaultsp);

/*
 * Gives `to`, a new socket, the options of `from`, both of `domain` and `type`: those of which
 * nobody is told when they are set, and of the others those that have a bit in `told`. What cannot
 * be set, for want of rights, stays as it is.
 */
void socket_options_copy(const struct socket_defaults *defaults, uint64_t told, int domain,
	int type, int from, int to);
