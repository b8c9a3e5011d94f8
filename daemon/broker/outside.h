/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions that live in a network of their own (`net = broker`): how a socket of a program gets out
 * of it. A program makes its sockets itself, inside, where they cost nothing and its loopback is
 * its own. At the moment when one is to be connected, bound or sent from to an address that rules
 * allow, a socket of the same kind is made in the broker's network, given the options that the
 * first has been given so far, and put in its place, before the call is performed on it: under the
 * same number, with the same flags, and in the same epoll instances. From then on the kernel serves
 * it, and nobody stands in the data's way.
 *
 * (The other order, sockets from outside that are changed for inside ones when the loopback is
 * meant, costs a notification for each socket(2), and needs somebody who can enter the inside.)
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct broker;
struct outside;
struct request;
struct worker;

/* What is needed to know an outside socket from an inside one. 0 or a negative errno. */
int outside_new(struct outside **outsidep);

/*
 * Sees to it that the socket is of the network that the address is of according to the verdict,
 * before anything is done with that address: one from inside is changed for one from outside, and
 * our copy with it. There is no way back: from outside nothing inside can be reached, and what has
 * the same address outside must not be: that is ENETUNREACH. 0 or a negative errno.
 *
 * One that is to ask a nameserver becomes one of the broker's own, by which it is asked (dns.h), in
 * any session whose policy names hosts; and another again where it is used for something else.
 */
int outside_lead(const struct broker *broker, struct worker *worker, struct request *request);

/*
 * The flags of the caller's `number`, as target_fd_flags() tells them, asked under our own rights:
 * the caller may have given up those that it takes. Or a negative errno.
 */
int outside_flags(const struct broker *broker, const struct request *request, int number);

/*
 * Puts `made` in the place of the caller's `number`, of which `*socket` is our copy and becomes
 * `made`, consumed in any case. 0 or a negative errno.
 */
int outside_replace(const struct broker *broker, const struct request *request, int number,
	int *socket, int made);
