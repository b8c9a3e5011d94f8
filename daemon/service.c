/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/service.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef USHER_WITH_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "daemon/base/cleanup.h"
#include "daemon/base/clock.h"
#include "daemon/base/fdpass.h"

#define HOLDER_PATIENCE_MS 1000

static struct {
	enum service_kind kind;
	int holder; /* SERVICE_HOLDER */
	bool has_watchdog, has_poll;
	uv_timer_t watchdog;
	uv_poll_t holder_poll;
	uv_loop_t *loop;
	void (*lost)(void *owner);
	void *owner;
} service = {.holder = -1};

#ifdef USHER_WITH_SYSTEMD

bool service_is_systemd(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

static int tell_systemd(const char *text, const int *fds, size_t fd_count)
{
	int result = sd_pid_notify_with_fds(0, 0, text, fds, (unsigned int)fd_count);

	return result < 0 ? result : 0;
}

/* How often it wants to be fed, in microseconds; 0: never. */
static uint64_t watchdog_interval(void)
{
	uint64_t interval = 0;

	return sd_watchdog_enabled(0, &interval) > 0 ? interval : 0;
}

#else

bool service_is_systemd(void)
{
	return false;
}

static int tell_systemd(const char *text, const int *fds, size_t fd_count)
{
	(void)text;
	(void)fds;
	(void)fd_count;
	return -ENOTCONN;
}

static uint64_t watchdog_interval(void)
{
	return 0;
}

#endif

void service_init(int holder)
{
	service.holder = holder;
	if (holder >= 0) {
		service.kind = SERVICE_HOLDER;
	} else {
		service.kind = service_is_systemd() ? SERVICE_SYSTEMD : SERVICE_NONE;
	}
}

void service_finish(void)
{
	close_fd(&service.holder);
	service.kind = SERVICE_NONE;
}

enum service_kind service_kind(void)
{
	return service.kind;
}

/* It takes what it is told at once, unless it is stopped; then we do not wait for ever. */
static int tell_holder(const char *text, const int *fds, size_t fd_count)
{
	struct pollfd room = {.fd = service.holder, .events = POLLOUT};
	int result;

	do {
		result = fdpass_send(service.holder, text, strlen(text), fds, fd_count);
	} while (result == -EAGAIN && poll(&room, 1, HOLDER_PATIENCE_MS) == 1);
	return result;
}

int service_say(const char *text, const int *fds, size_t fd_count)
{
	switch (service.kind) {
	case SERVICE_SYSTEMD:
		return tell_systemd(text, fds, fd_count);
	case SERVICE_HOLDER:
		return tell_holder(text, fds, fd_count);
	case SERVICE_NONE:
		break;
	}
	return -ENOTCONN;
}

static __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)service_say(text, NULL, 0);
}

void service_ready(unsigned int sessions)
{
	say("READY=1\nSTATUS=Serving; sessions: %u", sessions);
}

void service_status(unsigned int sessions)
{
	say("STATUS=Serving; sessions: %u", sessions);
}

void service_reloading(void)
{
	say("RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reading the configuration",
		clock_ns(CLOCK_MONOTONIC) / 1000u);
}

void service_stopping(void)
{
	say("STOPPING=1\nSTATUS=Ending");
}

static void feed(uv_timer_t *timer)
{
	(void)timer;
	say("WATCHDOG=1");
}

static void on_holder(uv_poll_t *poll, int status, int events)
{
	(void)poll;
	(void)status;
	(void)events;
	/* It never says anything; this is its end. */
	uv_close((uv_handle_t *)&service.holder_poll, NULL);
	service.has_poll = false;
	service_finish();
	service.lost(service.owner);
}

static int start_watchdog(uv_loop_t *loop, uint64_t interval_ms)
{
	int result = uv_timer_init(loop, &service.watchdog);

	if (result < 0) {
		return result;
	}
	service.has_watchdog = true;
	return uv_timer_start(&service.watchdog, feed, 0, interval_ms / 3 + 1);
}

static int watch_holder(void)
{
	int result = uv_poll_init(service.loop, &service.holder_poll, service.holder);

	if (result < 0) {
		return result;
	}
	service.has_poll = true;
	return uv_poll_start(&service.holder_poll, UV_READABLE | UV_DISCONNECT, on_holder);
}

int service_take_holder(int holder)
{
	service_init(holder);
	int result = watch_holder();
	if (result < 0) {
		service_finish();
	}
	return result;
}

int service_watch(uv_loop_t *loop, void (*lost)(void *owner), void *owner)
{
	uint64_t interval_ms = watchdog_interval() / 1000;

	service.loop = loop;
	service.lost = lost;
	service.owner = owner;
	if (service.kind == SERVICE_HOLDER) {
		return watch_holder();
	}
	return interval_ms > 0 ? start_watchdog(loop, interval_ms) : 0;
}

void service_unwatch(void)
{
	if (service.has_watchdog) {
		uv_close((uv_handle_t *)&service.watchdog, NULL);
	}
	if (service.has_poll) {
		uv_close((uv_handle_t *)&service.holder_poll, NULL);
	}
	service.has_watchdog = service.has_poll = false;
}
