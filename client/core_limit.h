/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where rules are about creating or removing, the broker limits the core files of the session
 * (daemon/broker/core_file.h). The kernel lets it only if all ids of the one are all ids of the
 * other, or with CAP_SYS_RESOURCE. Who was started with mixed ids, as by a set-group-ID program,
 * limits itself: such a process makes no core files anyway, but what it starts later might.
 */
#pragma once

/* 0 or a negative errno. */
int core_limit_if_mixed(void);
