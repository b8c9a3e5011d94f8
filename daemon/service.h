/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service manager hears from us and gives to us: sd_notify(3) and sd_listen_fds(3). Built
 * without libsystemd, or started by anybody else, nothing is said and nothing is there.
 */
#pragma once

void service_ready(unsigned int sessions);
void service_reloading(void);
void service_stopping(void);

/*
 * The listening SOCK_SEQPACKET unix socket that the manager has opened for us: a descriptor,
 * -ENOENT if there is none, -EINVAL if what came is something else.
 */
int service_listen_fd(void);
