/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our manager: systemd, or the holder that a usherd started by hand puts before itself (holder.h).
 * Both hear the same words, those of sd_notify(3), and give us back what we leave with them
 * (store.h, inheritance.h). Started by anybody else, nothing is said and nothing is kept.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

enum service_kind { SERVICE_NONE, SERVICE_SYSTEMD, SERVICE_HOLDER };

/* True if systemd has started us and listens. */
bool service_is_systemd(void);

/* Finds out who manages us. `holder`: its socket, consumed; -1: it is not the holder. */
void service_init(int holder);
void service_finish(void);
/*
 * Another holder, by its socket, which is consumed; after service_watch, and after the one before
 * was lost. 0 or a negative errno.
 */
int service_take_holder(int holder);
enum service_kind service_kind(void);

/*
 * Says something to the manager, with descriptors, which stay the caller's. 0 or a negative errno;
 * -ENOTCONN if nobody manages us.
 */
int service_say(const char *text, const int *fds, size_t fd_count);

void service_ready(unsigned int sessions);
void service_reloading(void);
void service_stopping(void);
/* The line that `systemctl status` shows. */
void service_status(unsigned int sessions);

/*
 * Feeds the manager's watchdog, if it has one, from the loop: a loop that hangs starves it. And
 * looks after the holder: when it is gone `lost` is told, and nobody manages us any more. 0 or a
 * negative errno.
 */
int service_watch(uv_loop_t *loop, void (*lost)(void *owner), void *owner);
void service_unwatch(void);
