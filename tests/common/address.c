/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses for tests; loopback only, and no name is ever looked up.
 */
#include "tests/common/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

struct address address_ip4(const char *host, uint16_t port)
{
	struct address address = {.length = sizeof(struct sockaddr_in)};
	struct sockaddr_in *in = (struct sockaddr_in *)&address.storage;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	inet_pton(AF_INET, host, &in->sin_addr);
	return address;
}

struct address address_ip6(const char *host, uint16_t port)
{
	struct address address = {.length = sizeof(struct sockaddr_in6)};
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address.storage;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	inet_pton(AF_INET6, host, &in6->sin6_addr);
	return address;
}

bool address_parse_ip(struct address *address, const char *text)
{
	const char *colon = strrchr(text, ':');
	bool bracketed = text[0] == '[';
	char host[64];
	size_t length;
	struct in6_addr probe;

	if (!colon || (bracketed && colon[-1] != ']')) {
		return false;
	}
	length = (size_t)(colon - text) - (bracketed ? 2 : 0);
	if (length >= sizeof(host)) {
		return false;
	}
	memcpy(host, text + bracketed, length);
	host[length] = '\0';
	if (inet_pton(bracketed ? AF_INET6 : AF_INET, host, &probe) != 1) {
		return false;
	}
	*address = (bracketed ? address_ip6 : address_ip4)(host, (uint16_t)atoi(colon + 1));
	return true;
}

bool address_parse_unix(struct address *address, const char *text)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&address->storage;
	size_t length = strlen(text);

	if (!length || length > sizeof(un->sun_path)) {
		return false;
	}
	memset(address, 0, sizeof(*address));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, text, length);
	address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (text[0] == '@') {
		un->sun_path[0] = '\0';
	} else if (length < sizeof(un->sun_path)) {
		address->length++;
	}
	return true;
}

static int listen_at(const char *host, uint16_t port, uint16_t *portp)
{
	struct address address = address_ip4(host, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return -errno;
	}
	if (bind(fd, (struct sockaddr *)&address.storage, address.length) || listen(fd, 128) ||
		getsockname(fd, (struct sockaddr *)&address.storage, &address.length)) {
		int error = errno;

		close(fd);
		return -error;
	}
	*portp = ntohs(((struct sockaddr_in *)&address.storage)->sin_port);
	return fd;
}

int address_listen(const char *host, uint16_t first, uint16_t last, uint16_t *portp)
{
	int fd = -EADDRINUSE;

	for (unsigned int port = first; port <= last && fd == -EADDRINUSE; port++) {
		fd = listen_at(host, (uint16_t)port, portp);
	}
	return fd;
}
