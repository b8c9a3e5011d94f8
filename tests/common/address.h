/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket addresses from text: "127.0.0.1:80", "[::1]:80", "/run/x", "@name".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
	struct sockaddr_storage storage;
	socklen_t length;
};

bool address_parse_ip(struct address *address, const char *text);
/* A path, or with a leading `@` an abstract name. */
bool address_parse_unix(struct address *address, const char *text);

struct address address_ip4(const char *host, uint16_t port);
struct address address_ip6(const char *host, uint16_t port);

/*
 * A socket that listens on a free port of 127.0.0.1 (or of `host`), between `first` and `last`
 * where these are not 0. The descriptor, or a negative errno.
 */
int address_listen(const char *host, uint16_t first, uint16_t last, uint16_t *portp);
