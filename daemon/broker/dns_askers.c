/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/dns_askers.h"

#include <netinet/in.h>
#include <string.h>

#include "daemon/broker/dns_server.h"

/* Both families have the port at the same place. */
static size_t place_of(const struct sockaddr_storage *address)
{
	struct sockaddr_in in;

	memcpy(&in, address, sizeof(in));
	return ntohs(in.sin_port) % DNS_ASKERS;
}

void dns_askers_note(struct dns_askers *askers, int socket, pid_t tid)
{
	struct sockaddr_storage name = {0};
	socklen_t size = sizeof(name);

	if (getsockname(socket, (struct sockaddr *)&name, &size) == 0) {
		atomic_store(&askers->tids[place_of(&name)], tid);
	}
}

pid_t dns_askers_find(const struct dns_askers *askers, const struct dns_origin *origin)
{
	return atomic_load(&askers->tids[place_of(&origin->from)]);
}
