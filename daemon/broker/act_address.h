/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An address as it is given to the kernel: our copy of it, and for the path of a unix socket the
 * magic link of its pinned inode, which leads to that and to nothing else.
 */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

struct request;

struct exact_address {
	const struct sockaddr *name; /* NULL: none was named */
	socklen_t length;
	int pinned; /* ours to close, or -1 */
	struct sockaddr_un path;
};

/* 0 or a negative errno; ended by exact_address_finish(), also after an error. */
int exact_address_init(struct exact_address *exact, const struct request *request);
void exact_address_finish(struct exact_address *exact);
