/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/supervisor.h"

#include <errno.h>
#include <sys/socket.h>

#include "daemon/base/wire.h"

int supervisor_tell(int error, const char *text)
{
	char packet[sizeof(struct wire_refused) + WIRE_TEXT_MAX];
	size_t size = wire_refused_make(packet, error, text);
	int before = errno;

	(void)send(SUPERVISOR_FD, packet, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	errno = before;
	return error;
}
