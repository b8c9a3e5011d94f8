/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library asks by what a machine can be reached before it looks for addresses of a name:
 * getaddrinfo(3) with AI_ADDRCONFIG finds none of a family of which no interface has an address,
 * but for the loopback's own. In an empty network that would be all of them, though connections
 * lead out of it (`net = broker`). So the loopback there gets one more address of each family that
 * the machine has: one that it answers to anyway, and a link-local one; neither leads anywhere.
 */
#pragma once

enum {
	FAMILY_IPV4 = 1u << 0,
	FAMILY_IPV6 = 1u << 1,
};

/* Those of which an interface of this network, that is not a loopback, has an address. */
unsigned int families_find(void);

/* Has the loopback of this network show them. What cannot be shown is not: that is no reason to
 * fail. */
void families_show(unsigned int wanted);
