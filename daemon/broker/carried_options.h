/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of internet sockets that are carried over to another one: all that a program can set
 * before it connects and that can be read again. What is left out has no meaning outside (devices
 * and addresses of interfaces), is not to be read (keys of TCP_MD5SIG, programs of BPF, groups that
 * were joined), or is the state of a connection (TCP_REPAIR).
 */
#pragma once

#include <stddef.h>

enum socket_kind { STREAM_4, STREAM_6, DATAGRAM_4, DATAGRAM_6, SOCKET_KINDS };

struct carried_option {
	int level, name;
	unsigned int kinds; /* a bit for each enum socket_kind */
};

#define CARRIED_OPTIONS_MAX 128

/* In the order in which they are to be set. */
const struct carried_option *carried_options(size_t *count);
