/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/service.h"

#include <errno.h>

#ifdef USHER_WITH_SYSTEMD

#include <inttypes.h>
#include <stdint.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "daemon/listen.h"

void service_ready(unsigned int sessions)
{
	sd_notifyf(0, "READY=1\nSTATUS=Serving; %u sessions", sessions);
}

void service_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reading the configuration",
		(uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u);
}

void service_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=Ending");
}

int service_listen_fd(void)
{
	int count = sd_listen_fds(1);

	if (count <= 0) {
		return count < 0 ? count : -ENOENT;
	}
	if (count > 1 || listen_check(SD_LISTEN_FDS_START, SOCK_SEQPACKET) < 0) {
		return -EINVAL;
	}
	return SD_LISTEN_FDS_START;
}

#else

void service_ready(unsigned int sessions)
{
	(void)sessions;
}

void service_reloading(void)
{
}

void service_stopping(void)
{
}

int service_listen_fd(void)
{
	return -ENOENT;
}

#endif
