/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities that a session of root gives up when it begins, since they would lead around what
 * its policy says, and its brokers after it (client/process_rights.h, daemon/broker/start.h).
 */
#pragma once

#include <linux/capability.h>

/*
 * Where /proc is left to the kernel: those by which it would show there what rules deny by name:
 * the memory of the machine (kcore), its addresses and messages (kallsyms, kmsg), and of processes
 * outside of the session what only who may trace them should see (maps, environ and the like).
 */
#define GIVEN_UP_FOR_PROC \
	(1ull << CAP_SYS_ADMIN | 1ull << CAP_PERFMON | 1ull << CAP_SYS_RAWIO | 1ull << CAP_SYSLOG)

/*
 * In a network of its own: that by which a device of another network could be had inside. One end
 * of a veth lies wherever its maker says.
 */
#define GIVEN_UP_FOR_NETWORK (1ull << CAP_NET_ADMIN)
